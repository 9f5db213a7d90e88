// Numbers, times, decisions and flags in words.

import { h, s } from "./dom.js";

const LOCALE = "en";
const whole = new Intl.NumberFormat(LOCALE);
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

/** 12,345 */
export const count = (number) => whole.format(number);

/** "1 hop", "3 hops" */
export const counted = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

/** 14:03:22 */
export const timeOf = (at_ms) => clock.format(at_ms);

/** 0.42 ms, 18.3 ms, 740 ms, 2.31 s */
export function duration(ms) {
  if (ms >= 60_000) return `${(ms / 60_000).toFixed(1)}\u00a0min`;
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(2)}\u00a0s`;
  return `${ms.toFixed(ms >= 100 ? 0 : ms >= 1 ? 1 : 2)}\u00a0ms`;
}

/** 33.3 %, 25 %; here and above the space does not break. */
export const percent = (share) => `${Number(share.toFixed(share < 10 ? 2 : 1))}\u00a0%`;

// A shape of its own for each way, so that nobody needs to tell colours apart.
const SHAPES = {
  here: { word: "decided here", where: "decided in", draw: () => s("path", { d: "M8 1.5 14.5 8 8 14.5 1.5 8z" }) },
  carried: {
    word: "carried",
    where: "carried to",
    draw: () => [s("circle", { cx: 8, cy: 8, r: 6.25, class: "open" }), s("path", { d: "M4.5 8h6.5M8.25 5 11.25 8l-3 3", class: "open" })],
  },
  killed: {
    word: "killed",
    where: "killed in",
    draw: () => [s("rect", { x: 1.5, y: 1.5, width: 13, height: 13, rx: 1 }), s("path", { d: "m5 5 6 6m0-6-6 6", class: "cut" })],
  },
  override: {
    word: "override",
    where: "overridden in",
    draw: () => s("path", { d: "M8 .8l2.1 4.6 5 .5-3.8 3.3 1.1 4.9L8 11.6l-4.4 2.5 1.1-4.9L.9 5.9l5-.5z" }),
  },
  off: {
    word: "switched off",
    where: "switched off in",
    draw: () => [s("rect", { x: 2, y: 2, width: 12, height: 12, rx: 1.5, class: "open" }), s("path", { d: "M5 8h6", class: "open" })],
  },
  other: { word: "", draw: () => s("path", { d: "M8 2 14.5 13.5h-13z", class: "open" }) },
};

/** How a decision was made: the shape it gets and the word for it. */
export function howOf({ how, reason }) {
  const told = (how ?? reason ?? "").toLowerCase().replaceAll("_", " ");
  if (told === "carried" || told === "killed" || told === "override") return { key: told, word: told };
  if (told === "switched off" || told === "disabled") return { key: "off", word: SHAPES.off.word };
  const isMadeHere = told === "decided here" || (!how && ["static", "default", "targeting match", "split"].includes(told));
  return isMadeHere ? { key: "here", word: SHAPES.here.word } : { key: "other", word: told || "unknown" };
}

/** The shape of a way of deciding; what it means stands beside it in words or in `label`. */
export function mark(key, label = null) {
  const attributes = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  return s("svg", { class: `mark mark-${key}`, viewBox: "0 0 16 16", ...attributes }, SHAPES[key].draw());
}

/** "decided in", "carried to", "killed in"; of any other way its word. */
export const whereOf = ({ key, word }) => SHAPES[key].where ?? `${word} in`;

const REASONS = { static: "the same for everyone", split: "by the split", default: "by the fallthrough", "targeting match": "by a rule" };

/** What a reason means, where the way of deciding does not say it already; else nothing. */
export function because({ reason, unmet }) {
  if (unmet) return `it needs ${unmet}`;
  const told = reason.toLowerCase().replaceAll("_", " ");
  return REASONS[told] ?? null;
}

/** Shape and word. */
export const markAndWord = (key) => [mark(key), h("span", {}, SHAPES[key].word)];

// A kill says more than a decision, and that more than its being carried.
const TELLING = ["killed", "override", "other", "off", "here", "carried"];
const rankOf = (decision) => TELLING.indexOf(howOf(decision).key);

/** The decisions of a journey, one per flag, the most telling first; of those alike, what was used in more ways. */
export function oncePerFlag(decisions) {
  const best = new Map();
  for (const decision of decisions) {
    const { told, times } = best.get(decision.flag) ?? { told: decision, times: 0 };
    best.set(decision.flag, { told: rankOf(decision) < rankOf(told) ? decision : told, times: times + 1 });
  }
  return [...best.values()].sort((one, other) => rankOf(one.told) - rankOf(other.told) || other.times - one.times).map(({ told }) => told);
}

/**
 * What was decided for other units than the request's own, as a fan-out does: by flag, way and kind of unit one group,
 * with its variants counted. Own decisions are groups of one.
 */
export function grouped(decisions) {
  const groups = new Map();
  for (const decision of decisions) {
    const place = decision.other ? `${decision.flag}/${howOf(decision).word}/${decision.other}` : Symbol("own");
    const group = groups.get(place) ?? groups.set(place, { ...decision, count: 0, variants: new Map() }).get(place);
    group.count += 1;
    group.variants.set(decision.variant, (group.variants.get(decision.variant) ?? 0) + 1);
  }
  return [...groups.values()].sort((one, other) => Boolean(one.other) - Boolean(other.other));
}

/** "for each of 10 other users"; nothing for a decision of the request's own. */
export const forWhom = ({ other, count: units }) => (other ? `for ${units === 1 ? "another" : `each of ${count(units)} other`} ${units === 1 ? other : `${other}s`}` : null);

const DROPPED = {
  unknown: "nobody has declared it",
  not_trusted: "only a verified caller may send it",
  misplaced: "it counts elsewhere",
  nominated: "it was for one connection alone",
  restarted: "a stranger's trace is not continued",
  malformed: "it breaks its syntax",
  business_id: "it is to be opaque, and holds an id of the business",
  unsafe: "it holds a line break or NUL",
  repeated: "it came more than once",
  contradicted: "another header says something else",
  skewed: "the clocks differ",
  too_long: "longer than its limit",
  too_many: "beyond the number that is read",
  not_forwarded: "it came in for this hop alone",
  over_budget: "the budget was used up",
  missing: "it is required, and did not come or did not count",
};

/** Why a header was dropped, for people; an unknown reason as it came. */
export const droppedBecause = (reason) => DROPPED[reason] ?? reason.replaceAll("_", " ");
