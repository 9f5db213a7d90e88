// What a flag serves, in words.

import { percent } from "./words.js";

// Coverage and weights are counted in these; a hundred per cent of either.
const WHOLE = 100_000;

/** The state in one word: what the row shows beside its controls. */
export const stateOf = ({ settings, held }) => (settings.killed ? "killed" : !settings.on ? "off" : held ? "held" : "on");

/** The flags, each with what holds it off: a flag that it needs and that answers everyone something else; null if none. */
export function withHeld(flags) {
  const byKey = new Map(flags.map((flag) => [flag.key, flag]));
  const known = new Map();
  const heldBy = (flag) => {
    if (known.has(flag.key)) return known.get(flag.key);
    known.set(flag.key, null); // a circle, which no control plane publishes, ends here
    const found = (flag.settings.prerequisites ?? []).find(({ flag: key, variants }) => {
      const served = byKey.has(key) ? servedToAll(byKey.get(key), heldBy(byKey.get(key))) : null;
      return served !== null && !variants.includes(served);
    });
    known.set(flag.key, found?.flag ?? null);
    return known.get(flag.key);
  };
  return flags.map((flag) => ({ ...flag, held: heldBy(flag) }));
}

/** The variant that everyone gets; null where it depends on whom. */
function servedToAll({ settings }, held) {
  if (settings.killed || !settings.on || held) return settings.off;
  return settings.rules.length || settings.fallthrough.split ? null : settings.fallthrough.variant;
}

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
  if (flag.held) return [`Held off by \`${flag.held}\`, which it needs: everyone gets \`${settings.off}\`.`];
  const needs = (settings.prerequisites ?? []).map(({ flag: key, variants }) => `Needs \`${key}\` to be ${variants.map((variant) => `\`${variant}\``).join(" or ")}.`);
  const rules = settings.rules.map((rule) => `If ${rule.clauses.map(clauseInWords).join(" and ")}: ${serveInWords(rule.serve, flag, true)}.`);
  const rest = serveInWords(settings.fallthrough, flag);
  return [...needs, ...rules, rules.length ? `Else: ${rest}.` : `${rest[0].toUpperCase()}${rest.slice(1)}.`];
}

/** Variants of a split with their share of what is covered, in percent; empty without a split. */
export const sharesOf = ({ settings: { fallthrough } }) =>
  (fallthrough.split?.weights ?? []).map(({ variant, weight }) => ({ variant, percent: weight / (WHOLE / 100) }));

function serveInWords(serve, { settings, unit }, isOfRule = false) {
  const { split } = serve;
  const everyone = isOfRule ? "they get" : "everyone gets";
  if (!split) return `${everyone} \`${serve.variant}\``;
  const rest = split.rest ?? settings.off;
  const given = split.weights.filter(({ weight }) => weight > 0);
  if (split.coverage === 0) return `${everyone} \`${rest}\``;
  if (split.coverage === WHOLE && given.length === 1) return `${everyone} \`${given[0].variant}\``;
  const whom = isOfRule ? "them" : `${unit}s`;
  const covered = split.coverage === WHOLE ? `all ${isOfRule ? "of them" : whom}` : `${percent(split.coverage / (WHOLE / 100))} of ${whom}`;
  const others = split.coverage < WHOLE ? ` the rest \`${rest}\`` : "";
  if (given.length === 1) return `${covered} get \`${given[0].variant}\`,${others}`;
  const parts = given.map(({ variant, weight }) => `\`${variant}\` ${percent(weight / (WHOLE / 100))}`);
  return `${covered} are split: ${parts.join(", ")}${others && `;${others}`}`;
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
