// Elements without a template language: text is always text, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** The element with this id; the page's own, so it is there. */
export const byId = (id) => document.getElementById(id);

/** An element: attributes by name, `on…` are listeners, false and null leave an attribute out, true sets it empty. */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function s(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Text that is set only when it differs, so that nothing is selected away or announced again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Make the children of `parent` those of `items`, in order, keeping the element of each key: focus, open parts and
 * half-typed numbers survive an update. make: item → element. update: (element, item) → nothing.
 */
export function keyed(parent, items, keyOf, make, update = () => {}) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let before = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let element = known.get(key);
    if (!element) {
      element = make(item);
      element.dataset.key = key;
    }
    known.delete(key);
    update(element, item);
    if (element === before) before = before.nextElementSibling;
    else parent.insertBefore(element, before);
  }
  for (const gone of known.values()) gone.remove();
}

/** Run `work` at most once in `pause_ms`: at once, then once more at the end if it was asked again. */
export function throttled(work, pause_ms) {
  let timer = null;
  let isAskedAgain = false;
  const run = () => {
    isAskedAgain = false;
    timer = setTimeout(() => {
      timer = null;
      if (isAskedAgain) run();
    }, pause_ms);
    work();
  };
  return () => {
    if (timer === null) run();
    else isAskedAgain = true;
  };
}

const unsaid = [];

/** Tell those who listen. What changes together is said together: a later text would else take the earlier one's place. */
export function announce(text) {
  if (unsaid.push(text) > 1) return;
  queueMicrotask(() => (byId("said").textContent = unsaid.splice(0).join(" ")));
}
