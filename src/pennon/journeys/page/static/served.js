// What a flag serves, in words.

import { percent } from "./words.js";

// Coverage and weights are counted in these; a hundred per cent of either.
const WHOLE = 100_000;

/** The state in one word: what the row shows beside its controls. */
export const stateOf = ({ settings }) => (settings.killed ? "killed" : settings.on ? "on" : "off");

/** Percent that the ramp stands at. Without a split it is all or nothing. */
export function rampOf({ settings: { fallthrough, off } }) {
  if (fallthrough.split) return fallthrough.split.coverage / (WHOLE / 100);
  return fallthrough.variant === off ? 0 : 100;
}

/** Sentences: who gets what. Variants stand between backticks. */
export function servedInWords(flag) {
  const { settings } = flag;
  if (settings.killed) return [`Killed: everyone gets \`${settings.off}\`, whatever was carried.`];
  if (!settings.on) return [`Switched off: everyone gets \`${settings.off}\`.`];
  const rules = settings.rules.map((rule) => `If ${rule.clauses.map(clauseInWords).join(" and ")}: ${serveInWords(rule.serve, flag)}.`);
  const rest = serveInWords(settings.fallthrough, flag);
  return [...rules, rules.length ? `Else ${rest}.` : `${rest[0].toUpperCase()}${rest.slice(1)}.`];
}

/** Variants of a split with their share of what is covered, in percent; empty without a split. */
export const sharesOf = ({ settings: { fallthrough } }) =>
  (fallthrough.split?.weights ?? []).map(({ variant, weight }) => ({ variant, percent: weight / (WHOLE / 100) }));

function serveInWords(serve, { settings, unit = "unit" }) {
  const { split } = serve;
  if (!split) return `everyone gets \`${serve.variant}\``;
  const covered = percent(split.coverage / (WHOLE / 100));
  const rest = split.coverage < WHOLE ? `, the rest \`${split.rest ?? settings.off}\`` : "";
  if (split.coverage === 0) return `everyone gets \`${split.rest ?? settings.off}\``;
  const given = split.weights.filter(({ weight }) => weight > 0);
  if (given.length === 1) return `${covered} of ${unit}s get \`${given[0].variant}\`${rest}`;
  const parts = given.map(({ variant, weight }) => `\`${variant}\` ${percent(weight / (WHOLE / 100))}`);
  return `${covered} of ${unit}s are split, ${parts.join(", ")}${rest}`;
}

function clauseInWords({ op, attribute, negate, value, values, compare, segment }) {
  const not = negate ? "not " : "";
  if (op === "segment") return `${not}in segment ${segment}`;
  if (op === "present") return `${attribute} is ${negate ? "missing" : "given"}`;
  if (op === "equals") return `${attribute} is ${not}${value}`;
  if (op === "in") return `${attribute} is ${negate ? "none" : "one"} of ${values.slice(0, 4).join(", ")}${values.length > 4 ? " …" : ""}`;
  if (op === "number" || op === "semver") return `${attribute} is ${not}${compare} ${value}`;
  return `${attribute} ${negate ? "does not " : ""}${{ prefix: "begin", suffix: "end", contains: "hold" }[op] ?? op}${negate ? "" : "s"} ${op === "contains" ? "" : "with "}${value}`;
}
