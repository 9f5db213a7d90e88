// Divergence: where services alone would have decided otherwise than what was carried to them, and why.

import { byId, h, keyed, say } from "./dom.js";
import { count, counted, percent } from "./words.js";

const place = byId("divergence");

// Causes that are no comparison: those decisions never met.
const NOT_COMPARED = new Set(["dropped", "unknown_flag"]);
const CAUSES = {
  revision_skew: "the flag was another when it was decided",
  missing_attribute: "an attribute that it asks about is unknown there",
  dropped: "decided there, after a full header had lost decisions",
  unknown_flag: "a flag arrived that does not exist there",
  other: "an attribute with another value, or other units",
};

const summary = h("p", { class: "agreed-all" });
const list = h("ul", { class: "diverging", "aria-label": "Services and flags that diverge" });
const causes = h("dl", { class: "causes" });
place.append(summary, list, causes);

/** Show what was counted: {window_s, items: [{service, flag, cause, count}]}. */
export function showDivergence({ window_s, items }) {
  const rows = rowsOf(items);
  place.hidden = rows.length === 0;
  byId("divergence-blank").hidden = rows.length > 0;
  const hours = Math.round(window_s / 3600);
  say(byId("divergence-blank"), `Nothing was compared in the last ${hours} h. Services compare a share of the decisions that are carried to them with what they would decide alone, and report it.`);
  const diverging = rows.filter((row) => row.causes.length).sort((one, other) => one.agreed / one.of - other.agreed / other.of || other.of - one.of);
  const compared = sum(rows.map((row) => row.compared));
  const agreed = sum(rows.map((row) => row.agreed));
  const whole = rows.length - diverging.length;
  say(summary, [compared && `${shareOf(agreed, compared)} of ${counted(compared, "comparison")} agree (last ${hours} h).`, diverging.length && whole && `${counted(whole, "other place")} agree wholly.`].filter(Boolean).join(" "));
  keyed(list, diverging, (row) => `${row.service}/${row.flag}`, makeRow, updateRow);
  const named = [...new Set(diverging.flatMap((row) => row.causes.map(({ cause }) => cause)))];
  keyed(causes, named, (cause) => cause, (cause) => h("div", {}, h("dt", {}, inWords(cause)), h("dd", {}, CAUSES[cause] ?? "")));
}

/** Say why nothing can be shown. */
export function divergenceFailed(message) {
  if (place.hidden) say(byId("divergence-blank"), `The comparisons could not be read: ${message}`);
}

/** Service by flag: how many were compared, agreed, and did not for which cause. */
function rowsOf(items) {
  const rows = new Map();
  for (const { service, flag, cause, count: times } of items) {
    const key = `${service}/${flag}`;
    const row = rows.get(key) ?? rows.set(key, { service, flag, compared: 0, agreed: 0, of: 0, causes: [] }).get(key);
    row.of += times;
    if (!NOT_COMPARED.has(cause)) row.compared += times;
    if (cause === "agreed") row.agreed += times;
    else row.causes.push({ cause, times });
  }
  return [...rows.values()];
}

function makeRow({ service, flag }) {
  return h("li", {},
    h("span", { class: "where" }, h("b", {}, service), " ", h("code", {}, flag || "unknown flags")), h("span", { class: "share" }),
    h("span", { class: "meter", "aria-hidden": "true" }, h("span", { class: "fill" })), h("span", { class: "why" }));
}

function updateRow(item, { compared, agreed, causes: found }) {
  say(item.querySelector(".share"), compared ? `${shareOf(agreed, compared)} of ${count(compared)} agree` : "not compared");
  const meter = item.querySelector(".meter");
  meter.hidden = !compared;
  meter.firstElementChild.style.width = `${(agreed / Math.max(compared, 1)) * 100}%`;
  say(item.querySelector(".why"), found.sort((one, other) => other.times - one.times).map(({ cause, times }) => `${inWords(cause)} ${count(times)}`).join(", "));
}

const sum = (numbers) => numbers.reduce((total, one) => total + one, 0);
const inWords = (cause) => cause.replaceAll("_", " ");

/** Rounded down: what is not whole never reads as 100 %. */
const shareOf = (part, whole) => percent(Math.floor((part / whole) * 1000) / 10);
