// The running experiments: how many units were exposed to each variant, beside what the weights would give.

import { byId, h, keyed, say } from "./dom.js";
import { sharesOf, stateOf } from "./served.js";
import { count, counted, percent } from "./words.js";

const place = byId("experiments");

/** Show what exposes. */
export function showExperiments(flags) {
  const running = flags.filter((flag) => flag.exposes ?? flag.exposures?.length > 0);
  byId("experiments-blank").hidden = running.length > 0;
  say(byId("experiments-blank"), "No experiment runs. A flag with `exposes: true` whose units are split is one; its exposures are counted here.");
  keyed(place, running, (flag) => flag.key, makeExperiment, updateExperiment);
}

/** Say why nothing can be shown. */
export function experimentsFailed(message) {
  if (!place.children.length) say(byId("experiments-blank"), `The exposures could not be read: ${message}`);
}

function makeExperiment(flag) {
  return h("article", { class: "experiment", "data-flag": flag.key, "aria-label": flag.key },
    h("div", { class: "flag-head" }, h("h3", {}, flag.key), h("span", { class: "state" })),
    h("p", { class: "blank" }), h("ul", { class: "arms" }), h("p", { class: "note" }, "The bar is the share of the exposures, the line the variant's weight."));
}

function updateExperiment(article, flag) {
  const counts = new Map((flag.exposures ?? []).map(({ variant, count: exposed }) => [variant, exposed]));
  const total = [...counts.values()].reduce((sum, exposed) => sum + exposed, 0);
  const expected = new Map(sharesOf(flag).map(({ variant, percent: share }) => [variant, share]));
  const state = stateOf(flag);
  const phase = flag.settings.fallthrough.split?.phase;
  say(article.querySelector(".state"), [state === "on" ? null : state === "off" ? "switched off" : state, phase && `phase ${phase}`, total && counted(total, "exposure")].filter(Boolean).join(" · "));
  const blank = article.querySelector(".blank");
  blank.hidden = total > 0;
  say(blank, "Nobody is exposed yet. An exposure is reported where a service asks for this flag and branches.");
  article.querySelector(".note").hidden = !total;
  const names = [...new Set([...expected.keys(), ...counts.keys()])];
  const rows = total ? names.map((variant) => ({ variant, exposed: counts.get(variant) ?? 0, share: ((counts.get(variant) ?? 0) / total) * 100, expected: expected.get(variant) })) : [];
  // All bars on one scale that the greatest share or weight nearly fills.
  const most = Math.max(1, ...rows.map((row) => Math.max(row.share, row.expected ?? 0))) * 1.08;
  keyed(article.querySelector(".arms"), rows, (row) => row.variant, makeVariant, (item, row) => updateVariant(item, row, most));
}

function makeVariant() {
  return h("li", {},
    h("em", { class: "variant" }), h("span", { class: "exposed" }), h("span", { class: "share" }),
    h("span", { class: "meter", "aria-hidden": "true" }, h("span", { class: "fill" }), h("span", { class: "weight" })));
}

function updateVariant(item, { variant, exposed, share, expected }, most) {
  say(item.querySelector(".variant"), variant);
  say(item.querySelector(".exposed"), count(exposed));
  say(item.querySelector(".share"), expected === undefined ? percent(share) : `${percent(share)}, weight ${percent(expected)}`);
  item.querySelector(".fill").style.width = `${(share / most) * 100}%`;
  const weight = item.querySelector(".weight");
  weight.hidden = expected === undefined;
  if (expected !== undefined) weight.style.left = `${(expected / most) * 100}%`;
}
