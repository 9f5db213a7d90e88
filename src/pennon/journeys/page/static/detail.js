// One journey: what was decided on its way, and its hops as a waterfall.

import { leaveTrace } from "./address.js";
import * as api from "./api.js";
import { announce, byId, h, keyed, say, throttled } from "./dom.js";
import { hopRow, updateHopRow } from "./hop.js";
import { count, counted, duration, grouped, howOf, mark, timeOf, whereOf } from "./words.js";

const pane = byId("detail");
// A journey of many services tells each arrival; twice a second is enough to watch it grow.
const GROWING_MS = 500;

let openTrace = null;
let drawn = null; // the parts of the open journey, kept while it grows

const again = throttled(() => openTrace && load(openTrace), GROWING_MS);

/** Open a journey; null closes. */
export async function open(traceId) {
  if (traceId === openTrace) return;
  openTrace = traceId;
  drawn = null;
  pane.hidden = traceId === null;
  byId("panes").classList.toggle("with-detail", traceId !== null);
  if (traceId === null) return pane.replaceChildren();
  pane.replaceChildren(headOf("Journey", [h("p", { class: "blank" }, "Reading its hops.")]));
  pane.focus({ preventScroll: true });
  pane.scrollTop = 0;
  await load(traceId);
}

/** A journey has grown; if it is the open one, it is read again. */
export function journeyGrew({ trace_id }) {
  if (trace_id === openTrace) again();
}

async function load(traceId) {
  try {
    const journey = await api.journey(traceId);
    if (traceId !== openTrace) return;
    if (journey === null) blank(`No journey ${traceId} is kept here. The memory is bounded: the oldest make room for new ones.`);
    else show(journey);
  } catch (error) {
    if (traceId === openTrace) blank(`The journey could not be read: ${error.message}`);
  }
}

function blank(text) {
  drawn = null;
  pane.replaceChildren(headOf("Journey", [h("p", { class: "blank" }, text)]));
}

function show(journey) {
  const isFirst = drawn === null;
  if (isFirst) drawn = parts();
  const services = new Set(journey.hops.map((hop) => hop.service)).size;
  say(drawn.title, journey.user ? `Journey of ${journey.user}` : "Journey");
  drawn.facts.replaceChildren(...factsOf(journey, services));
  drawn.ids.replaceChildren(...idsOf(journey));
  drawn.story.replaceChildren(...storyOf(journey.hops));
  const scale = scaleOf(journey);
  drawn.ticks.replaceChildren(...ticksOf(scale));
  drawn.hops.style.setProperty("--zero", `${scale.place(0)}%`);
  drawn.hops.style.setProperty("--step", `${scale.place(scale.step_ms) - scale.place(0)}%`);
  keyed(drawn.hops, journey.hops, (hop) => hop.span_id, hopRow, (row, hop) => updateHopRow(row, hop, scale));
  if (isFirst) {
    pane.replaceChildren(drawn.head, drawn.story, drawn.waterfall);
    announce(`${drawn.title.textContent}: ${counted(journey.hops.length, "hop")} through ${counted(services, "service")}`);
  }
}

function parts() {
  const facts = h("p", { class: "facts" });
  const ids = h("dl", { class: "ids" });
  const head = headOf("Journey", [facts, ids]);
  const hops = h("ol", { class: "hops", "aria-label": "Hops in order, callers before what they call" });
  const ticks = h("div", { class: "ticks", "aria-hidden": "true" });
  const all = h("button", { type: "button", class: "quiet", "aria-expanded": "false", onclick: () => expandAll(hops, all) }, "Open all");
  const waterfall = h("section", { class: "waterfall", "aria-label": "Waterfall" },
    h("div", { class: "scale" }, h("h3", {}, "Hops"), all, ticks, h("span", { class: "scale-end" }, "took")), hops);
  const story = h("section", { class: "story", "aria-label": "What was decided" });
  return { head, title: head.querySelector("h2"), facts, ids, story, hops, ticks, waterfall };
}

function headOf(title, children) {
  const close = h("button", { type: "button", class: "close", "aria-label": "Close the journey", onclick: leaveTrace }, "Close", h("kbd", { "aria-hidden": "true" }, "Esc"));
  return h("header", { class: "detail-head" }, h("div", { class: "pane-head" }, h("h2", { id: "detail-title" }, title), close), children);
}

function expandAll(hops, button) {
  const isOpen = button.getAttribute("aria-expanded") !== "true";
  button.setAttribute("aria-expanded", String(isOpen));
  say(button, isOpen ? "Close all" : "Open all");
  for (const part of hops.querySelectorAll(":scope > li > details")) part.open = isOpen;
}

function factsOf(journey, services) {
  const errors = journey.hops.filter((hop) => hop.status === "error").length;
  return [
    h("time", { datetime: new Date(journey.began_ms).toISOString() }, timeOf(journey.began_ms)),
    h("span", {}, duration(journey.duration_ms)),
    h("span", {}, counted(services, "service")),
    h("span", {}, counted(journey.hops.length, "hop")),
    errors > 0 && h("strong", { class: "bad" }, counted(errors, "error")),
    journey.is_cut && h("span", { class: "bad" }, "more spans came than are kept"),
  ].filter(Boolean);
}

function idsOf(journey) {
  const named = [["trace", journey.trace_id], ["correlation", journey.correlation_id], ["request", journey.request_id]];
  return named.filter(([, id]) => id).map(([name, id]) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, h("code", {}, id),
      h("button", { type: "button", class: "copy", "aria-label": `Copy the ${name} id`, onclick: (event) => copy(event.currentTarget, id, name) }, "copy"))));
}

async function copy(button, text, name) {
  const isDone = await navigator.clipboard.writeText(text).then(() => true, () => false);
  say(button, isDone ? "copied" : "not allowed");
  announce(isDone ? `${name} id copied` : "The browser does not allow copying here");
  setTimeout(() => say(button, "copy"), 1500);
}

/** Flag by flag: which variant, who decided it, who took it along; what was decided for others stands apart. */
function storyOf(hops) {
  const flags = new Map();
  for (const hop of hops) {
    for (const decision of grouped(hop.decisions)) {
      const { key, word } = howOf(decision);
      const line = `${decision.flag}/${decision.other ?? ""}`;
      const told = flags.get(line) ?? flags.set(line, { flag: decision.flag, other: decision.other, steps: new Map() }).get(line);
      const said = decision.other ? "" : (decision.variant ?? "default");
      const step = `${said}/${word}/${hop.service}`;
      const known = told.steps.get(step) ?? { key, word, said, service: hop.service, at_ms: decision.at_ms, variants: new Map() };
      for (const [variant, units] of decision.variants) known.variants.set(variant, (known.variants.get(variant) ?? 0) + units);
      told.steps.set(step, { ...known, at_ms: Math.min(known.at_ms, decision.at_ms) });
    }
  }
  if (!flags.size) return [h("h3", {}, "Decided"), h("p", { class: "blank" }, "No flag was asked on this journey, or its services do not record it: pennon's client adds an event to the span for each.")];
  const lines = [...flags.values()].sort((one, another) => Boolean(one.other) - Boolean(another.other));
  return [h("h3", {}, "Decided"), h("ul", { class: "stories" }, lines.map((told) => storyLine(told, [...told.steps.values()])))];
}

function storyLine({ flag, other }, steps) {
  steps.sort((one, another) => one.at_ms - another.at_ms);
  return h("li", {},
    h("code", { class: "flag" }, flag),
    h("span", { class: other ? "variants shares" : "variants" }, other ? sharesIn(steps[0]) : inTurn(steps)),
    h("span", { class: "steps" }, groups(steps).map(({ key, word, services }) =>
      h("span", { class: `step step-${key}` }, mark(key), h("b", {}, whereOf({ key, word })), h("span", {}, services.length > 6 ? `${services.slice(0, 5).join(", ")} and ${count(services.length - 5)} more` : services.join(", "))))),
  );
}

/** One variant, or several one after the other. */
const inTurn = (steps) => [...new Set(steps.map((step) => step.said))].map((variant, index) => [index > 0 && h("i", {}, "then"), h("em", { class: "variant" }, variant)]);

/** How many others got which variant, as the first service that asked has it. */
function sharesIn({ variants }) {
  const units = [...variants.values()].reduce((sum, one) => sum + one, 0);
  const shares = [...variants].sort((one, another) => another[1] - one[1]);
  return [shares.map(([variant, share]) => h("span", { class: "share-of" }, h("em", { class: "variant" }, variant ?? "default"), ` ${count(share)}`)), h("small", {}, `for ${counted(units, "other")}`)];
}

/** Neighbouring steps of one kind as one: "carried feed, notify". */
function groups(steps) {
  const made = [];
  for (const step of steps) {
    const last = made.at(-1);
    if (last && last.word === step.word && last.said === step.said) last.services = [...new Set([...last.services, step.service])];
    else made.push({ ...step, services: [step.service] });
  }
  return made;
}

/** From the first beginning to the last end: a hop's clock may stand before the journey's. */
function scaleOf(journey) {
  const begin_ms = Math.min(0, ...journey.hops.map((hop) => hop.start_ms));
  const end_ms = Math.max(journey.duration_ms, ...journey.hops.map((hop) => hop.start_ms + hop.duration_ms));
  const span_ms = Math.max(end_ms - begin_ms, 0.001);
  return { span_ms, step_ms: stepOf(span_ms), place: (at_ms) => Math.min(100, Math.max(0, ((at_ms - begin_ms) / span_ms) * 100)) };
}

/** A round number of which three or four make the whole. */
function stepOf(span_ms) {
  const rough_ms = span_ms / 4;
  const power = 10 ** Math.floor(Math.log10(rough_ms));
  return power * ([1, 2, 5].find((factor) => factor * power >= rough_ms) ?? 10);
}

function ticksOf(scale) {
  const ticks = [];
  for (let at_ms = 0; scale.place(at_ms) < 92; at_ms += scale.step_ms) {
    const tick = h("span", {}, at_ms === 0 ? "0" : duration(at_ms).replace(/\.0+(?=\s)/, ""));
    tick.style.left = `${scale.place(at_ms)}%`;
    ticks.push(tick);
  }
  return ticks;
}
