// The list of journeys: live while nobody looks closely, held still while somebody does.

import * as api from "./api.js";
import { byId, h, keyed, say, throttled } from "./dom.js";
import { count, counted, duration, howOf, mark, oncePerFlag, timeOf } from "./words.js";

const SHOWN_COUNT = 50;
const WAITING_LIMIT_COUNT = 500;
// Twice a second reads as live; more often only makes it flicker.
const PAUSE_MS = 500;
const DECISIONS_SHOWN_COUNT = 2;
const SERVICES_SHOWN_COUNT = 3;
// As the app searches: eight digits of a trace id are enough of it.
const TRACE_BEGINNING = /^[0-9a-f]{8,32}$/i;

const list = byId("journeys");
let query = "";
let openTrace = null;
let shown = []; // newest first
let waiting = new Map(); // arrived while the list was held, by trace id
let asked = 0;

const draw = throttled(() => render(), PAUSE_MS);

/** What the list is of; answers when it is there. */
export async function search(text) {
  query = text.trim();
  const field = byId("search");
  if (field.value.trim() !== query) field.value = query;
  await load();
}

/** Ask for the list anew: at the beginning, and after the connection was lost. */
export async function load() {
  const mine = ++asked;
  try {
    const items = await api.journeys(query, SHOWN_COUNT);
    if (mine !== asked) return; // a later question was faster
    shown = items;
    waiting.clear();
    render(items.length ? null : nothing());
  } catch (error) {
    if (mine === asked) render(`The journeys could not be read: ${error.message}`);
  }
}

/** A journey is new, or has grown. */
export function journeyArrived(journey) {
  if (!matches(journey)) return;
  const place = shown.findIndex((known) => known.trace_id === journey.trace_id);
  if (place >= 0) shown[place] = journey;
  else {
    waiting.set(journey.trace_id, journey);
    if (waiting.size > WAITING_LIMIT_COUNT) waiting.delete(waiting.keys().next().value);
  }
  draw();
}

/** Which journey is open beside the list. */
export function markOpen(traceId) {
  openTrace = traceId;
  render();
}

/** Put the focus on a journey's line, or on the first. */
export function focusLine(traceId) {
  const line = lines().find((one) => one.dataset.trace === traceId) ?? lines()[0];
  (line ?? byId("search")).focus();
}

/** Show what has arrived meanwhile. */
export function release() {
  const known = new Set(shown.map((journey) => journey.trace_id));
  const fresh = [...waiting.values()].filter((journey) => !known.has(journey.trace_id));
  waiting.clear();
  shown = [...fresh, ...shown].sort((one, other) => other.began_ms - one.began_ms).slice(0, SHOWN_COUNT);
}

// A list that moves under the pointer or the focus cannot be read or hit.
// A finger leaves a hover behind that never ends; it counts where there is a pointer only.
const pointer = matchMedia("(hover: hover)");
// The whole pane counts for a pointer: on its way from the list to the button it must not lose the button.
const pane = list.closest(".pane");
const isLookedAt = () => list.matches(":focus-within") || (pointer.matches && pane.matches(":hover"));
const isHeld = () => openTrace !== null || isLookedAt() || list.scrollTop > 0;

function render(blank) {
  if (!isHeld()) release();
  keyed(list, shown, (journey) => journey.trace_id, makeLine, updateLine);
  const current = lines().find((line) => line.tabIndex === 0 && line.isConnected);
  if (!current && list.firstElementChild) lines()[0].tabIndex = 0;
  byId("journeys-columns").hidden = shown.length === 0;
  const newer = byId("newer");
  newer.hidden = waiting.size === 0;
  say(newer, waiting.size >= WAITING_LIMIT_COUNT ? `${count(WAITING_LIMIT_COUNT)}+ newer` : `${count(waiting.size)} newer`);
  if (blank !== undefined || shown.length) {
    byId("journeys-blank").hidden = shown.length > 0;
    if (blank) say(byId("journeys-blank"), blank);
  }
}

const lines = () => [...list.querySelectorAll("a")];

function nothing() {
  return query
    ? `No journey is kept for “${query}”. The search takes a user, a request id or a correlation id as a whole, or at least eight digits of a trace id.`
    : "No journey yet. Spans sent to this address as OTLP over HTTP (/v1/traces) become journeys.";
}

function matches(journey) {
  if (!query || [journey.user, journey.trace_id, journey.request_id, journey.correlation_id].includes(query)) return true;
  return TRACE_BEGINNING.test(query) && journey.trace_id.startsWith(query.toLowerCase());
}

function makeLine(journey) {
  return h(
    "li",
    {},
    h(
      "a",
      { href: `#trace=${journey.trace_id}`, tabindex: "-1", "data-trace": journey.trace_id },
      h("time", { class: "began" }),
      h("span", { class: "user" }),
      h("span", { class: "through" }),
      h("span", { class: "decided" }),
      h("span", { class: "took" }),
    ),
  );
}

function updateLine(item, journey) {
  const line = item.firstElementChild;
  if (journey.trace_id === openTrace) line.setAttribute("aria-current", "true");
  else line.removeAttribute("aria-current");
  if (item.drawn === journey) return;
  item.drawn = journey;
  const [began, user, through, decided, took] = line.children;
  began.dateTime = new Date(journey.began_ms).toISOString();
  say(began, timeOf(journey.began_ms));
  say(user, journey.user ?? "no user");
  user.classList.toggle("none", !journey.user);
  through.replaceChildren(...servicesOf(journey));
  decided.replaceChildren(...decisionsOf(journey));
  took.replaceChildren(...tookOf(journey));
}

function servicesOf({ services, hop_count }) {
  const names = services.slice(0, SERVICES_SHOWN_COUNT).flatMap((name, index) => (index ? [h("i", { "aria-hidden": "true" }, "›"), name] : [name]));
  const more = services.length > SERVICES_SHOWN_COUNT ? [h("b", {}, `+${services.length - SERVICES_SHOWN_COUNT}`)] : [];
  return [h("span", { class: "names" }, ...names), ...more, h("small", {}, counted(hop_count, "hop"))];
}

function decisionsOf({ decisions }) {
  const once = oncePerFlag(decisions);
  if (!once.length) return [h("span", { class: "none" }, "no flag asked")];
  const told = once.slice(0, DECISIONS_SHOWN_COUNT).map((decision) => {
    const { key, word } = howOf(decision);
    return h("span", { class: "told", title: `${decision.flag}: ${decision.variant ?? "the caller's default"}, ${word}` },
      mark(key, word), h("span", {}, `${decision.flag} `, h("em", {}, decision.variant ?? "–")));
  });
  return once.length > told.length ? [...told, h("b", {}, `+${once.length - told.length}`)] : told;
}

function tookOf({ duration_ms, error_count }) {
  return [error_count > 0 && h("strong", { class: "bad" }, counted(error_count, "error")), h("span", {}, duration(duration_ms))].filter(Boolean);
}

// One tab stop for the whole list; arrows walk it.
list.addEventListener("keydown", (event) => {
  const all = lines();
  const here = all.indexOf(event.target.closest("a"));
  const there = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: all.length - 1 }[event.key];
  if (there === undefined || !all[there]) return;
  event.preventDefault();
  all[there].focus();
});
list.addEventListener("focusin", (event) => {
  for (const line of lines()) line.tabIndex = line === event.target ? 0 : -1;
});
for (const moment of ["focusout", "scroll"]) list.addEventListener(moment, draw, { passive: true });
pane.addEventListener("pointerleave", draw, { passive: true });
byId("newer").addEventListener("click", () => {
  list.scrollTop = 0;
  release();
  render();
  lines()[0]?.focus({ preventScroll: true });
});
