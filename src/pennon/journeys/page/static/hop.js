// One row of the waterfall: who, what, when; its decisions always, its headers and attributes when opened.

import { h, say } from "./dom.js";
import { because, count, counted, droppedBecause, duration, forWhom, grouped, howOf, mark } from "./words.js";

const KINDS = { server: "HTTP in", client: "HTTP out", producer: "Kafka out", consumer: "Kafka in", internal: "internal" };
// Their spans say who acts; what goes out says it in the headers that it added.
const INCOMING = new Set(["server", "consumer"]);
// Deeper rows stay at this indent: a chain of 20 services would else push its names out of sight.
const DEPTH_LIMIT_COUNT = 8;

/** The row of a hop, still empty. */
export function hopRow() {
  return h("li", { class: "hop" },
    h("details", {},
      h("summary", {},
        h("span", { class: "who" }, h("b", { class: "service" }), h("span", { class: "span-name" })),
        h("small", { class: "kind" }),
        h("span", { class: "track", "aria-hidden": "true" }, h("span", { class: "bar" }), h("span", { class: "moments" })),
        h("span", { class: "took" })),
      h("div", { class: "more" })),
    h("ul", { class: "decisions" }));
}

/** Show a hop in its row; what is open stays open. */
export function updateHopRow(row, hop, scale) {
  const find = (name) => row.querySelector(name);
  const bar = find(".bar");
  bar.style.left = `${scale.place(hop.start_ms)}%`;
  bar.style.width = `${scale.place(hop.start_ms + hop.duration_ms) - scale.place(hop.start_ms)}%`;
  const decisions = grouped(hop.decisions);
  find(".moments").replaceChildren(...decisions.map((decision) => momentOf(decision, scale)));
  row.style.setProperty("--depth", Math.min(hop.depth, DEPTH_LIMIT_COUNT));
  // A span is sent once, when it has ended: only its place in the journey can still change.
  if (row.dataset.kind) return;
  row.dataset.kind = hop.kind;
  row.classList.toggle("failed", hop.status === "error");
  say(find(".service"), hop.service);
  say(find(".span-name"), hop.name);
  find(".span-name").title = hop.name;
  say(find(".kind"), KINDS[hop.kind] ?? hop.kind);
  find(".took").replaceChildren(hop.is_late ? h("strong", { class: "bad" }, "too late ") : "", hop.status === "error" ? h("strong", { class: "bad" }, "error ") : "", refusedOf(hop), duration(hop.duration_ms));
  find(".decisions").replaceChildren(...decisions.map(decisionLine), ...uncountedOf(hop));
  find(".decisions").hidden = hop.decisions.length === 0;
  find(".more").replaceChildren(headersOf(hop), ...statusOf(hop), ...attributesOf(hop.attributes));
}

/** With which status it was not answered as asked. */
function refusedOf({ attributes }) {
  const status = attributes?.["http.response.status_code"];
  return status >= 400 ? h("strong", { class: "bad" }, `${status} `) : "";
}

function momentOf(decision, scale) {
  const moment = mark(howOf(decision).key);
  moment.style.left = `${scale.place(decision.at_ms)}%`;
  return moment;
}

function decisionLine(decision) {
  const { key, word } = howOf(decision);
  const why = [forWhom(decision), because(decision)].filter(Boolean).join(", ");
  return h("li", { class: `decision decision-${key}` },
    mark(key), h("b", {}, word), h("code", { class: "flag" }, decision.flag), variantsOf(decision),
    why && h("small", {}, why));
}

/** The variant; for a group each with how many got it. */
function variantsOf({ other, variants }) {
  const named = (variant) => variant ?? "the caller's default";
  if (!other) return h("em", { class: "variant" }, named([...variants.keys()][0]));
  return [...variants].sort((one, another) => another[1] - one[1]).map(([variant, units]) => h("span", { class: "share-of" }, h("em", { class: "variant" }, named(variant)), ` ${count(units)}`));
}

const uncountedOf = ({ uncounted, decisions }) =>
  uncounted && decisions.length ? [h("li", { class: "decision bad" }, `${counted(uncounted, "more event")} of this span ${uncounted === 1 ? "was" : "were"} not kept: there may be more decisions`)] : [];

function headersOf({ headers, kind, identity, deadline_left_ms }) {
  if (!headers) return h("p", { class: "blank" }, "This span tells of no headers: it is within a service, or another library's. Spans of pennon's doors do.");
  const { took, added, dropped } = headers;
  const row = (name, found, make) => h("div", {}, h("dt", {}, name), h("dd", {}, found.length ? found.map(make) : h("span", { class: "none" }, "none")));
  return h("dl", { class: "headers" },
    (identity || INCOMING.has(kind)) && h("div", { class: "whose" }, h("dt", {}, "acts"), h("dd", {}, ...whoseOf(identity))),
    h("div", { class: "deadline" }, h("dt", {}, "waits"), h("dd", {}, waitsOf(deadline_left_ms))),
    row("in", took, (name) => h("code", {}, name)),
    row("added", added, (name) => h("code", { class: "added" }, `+ ${name}`)),
    row("dropped", byReason(dropped), ([reason, names]) => h("span", { class: "dropped" }, names.map((name) => h("code", {}, `− ${name}`)), h("small", {}, `${reason.replaceAll("_", " ")}: ${droppedBecause(reason)}`))));
}

/** What was dropped, together where the reason is the same: a stranger's baggage can have dozens of members. */
function byReason(dropped) {
  const names = new Map();
  for (const { name, reason } of dropped) names.set(reason, [...(names.get(reason) ?? []), name]);
  return [...names];
}

const NAMED = { actor: "", actor_type: "", on_behalf_of: "for", tenant: "of tenant" };

/** Who acts for whom, in the order of a sentence; ids stand as the contract lets them be said, mostly hashed. */
function whoseOf(identity) {
  const said = Object.entries(NAMED).filter(([name]) => identity?.[name]);
  if (!said.length) return [h("span", { class: "none" }, "nobody is known")];
  return said.map(([name, word]) => h("span", {}, word && `${word} `, name === "actor_type" ? h("small", {}, identity[name].toLowerCase()) : h("code", {}, identity[name])));
}

/** How long whoever asked goes on waiting, when this span began. */
function waitsOf(left_ms) {
  if (left_ms === null) return h("span", { class: "none" }, "without a deadline");
  return left_ms > 0 ? `${duration(left_ms)} more` : h("strong", { class: "bad" }, `no more, for ${duration(-left_ms)}`);
}

function statusOf({ status, status_message }) {
  return status === "error" ? [h("p", { class: "bad status" }, `failed${status_message ? `: ${status_message}` : ""}`)] : [];
}

function attributesOf(attributes) {
  const named = Object.entries(attributes ?? {});
  if (!named.length) return [];
  return [h("details", { class: "attributes" }, h("summary", {}, counted(named.length, "attribute")),
    h("dl", {}, named.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, typeof value === "string" ? value : JSON.stringify(value))))))];
}
