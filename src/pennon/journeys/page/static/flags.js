// The flags: what each serves, and the switch, the ramp and the kill that change it.
//
// A row shows what the control plane has published, never what was just asked for: a change is seen when it has come
// back, which it does within the second.

import * as api from "./api.js";
import { announce, byId, h, keyed, say } from "./dom.js";
import { rampOf, servedInWords, stateOf, withHeld } from "./served.js";
import { mark, percent } from "./words.js";

const list = byId("flags");
const STATES = { on: "on", off: "switched off", held: "held off", killed: "killed" };
const CHANGED_MS = 1200;

/** Show the flags. */
export function showFlags(flags) {
  say(byId("flags-count"), flags.length ? String(flags.length) : "");
  byId("flags-blank").hidden = flags.length > 0;
  say(byId("flags-blank"), "No flags yet. `pennon flags create new-checkout` makes the first one.");
  keyed(list, withHeld(flags), (flag) => flag.key, makeRow, updateRow);
}

/** Say why there are none to show. */
export function flagsFailed(message) {
  if (list.children.length) return;
  byId("flags-blank").hidden = false;
  say(byId("flags-blank"), `The flags could not be read: ${message}`);
}

function makeRow(flag) {
  const id = `flag-${flag.key}`;
  const row = h("li", { class: "flag-row", "data-flag": flag.key, role: "group", "aria-labelledby": id },
    h("div", { class: "flag-head" },
      h("h3", { id }, flag.key), h("small", { class: "type" }, flag.at === "publish" ? `${flag.type}, at publish` : flag.type),
      h("span", { class: "state" }),
      h("button", { type: "button", class: "switch", role: "switch", "aria-label": `${flag.key} on`, onclick: () => flip(row) }, h("span", { class: "knob" }))),
    flag.description && h("p", { class: "description" }, flag.description),
    h("div", { class: "served" }),
    h("form", { class: "ramp", onsubmit: (event) => ramp(event, row) },
      h("label", { class: "unseen", for: `${id}-range` }, `Ramp of ${flag.key}, by slider`),
      h("input", { id: `${id}-range`, type: "range", min: 0, max: 100, step: 1, oninput: (event) => edited(row, event.target.value) }),
      h("label", { class: "unseen", for: `${id}-number` }, `Ramp of ${flag.key}, percent`),
      h("span", { class: "amount" }, h("input", { id: `${id}-number`, type: "number", min: 0, max: 100, step: "any", inputmode: "decimal", required: true, oninput: (event) => edited(row, event.target.value) }), h("i", { "aria-hidden": "true" }, "%")),
      h("button", { type: "submit", class: "apply", disabled: true }, "Apply"),
      h("button", { type: "button", class: "kill", onclick: () => kill(row) })),
    h("p", { class: "refused", role: "alert", hidden: true }),
    flag.overridable && letIn(flag));
  return row;
}

/** How to see another variant than the split's: typed by whoever may, since only the command line has keys. */
function letIn(flag) {
  const lines = ["pennon signer create ops --use override", "pennon override create \\", `  --flag ${flag.key} \\`, `  --variant ${flag.variants[0].key} \\`, `  --unit ${flag.unit}:KEY --ttl 1h`];
  return h("details", { class: "let-in" }, h("summary", {}, "Let a tester pick a variant"),
    h("pre", { tabindex: 0 }, h("code", {}, lines.join("\n"))),
    h("p", {}, "Send what it prints as ", h("code", {}, "Pennon-Override"), ". It is never an exposure; ", h("code", {}, "pennon override uses"), " lists the uses."));
}

function updateRow(row, flag) {
  const before = row.flag;
  row.flag = flag;
  if (before && before.etag === flag.etag && before.held === flag.held && JSON.stringify(before.settings) === JSON.stringify(flag.settings)) return;
  const state = stateOf(flag);
  row.dataset.state = state;
  row.querySelector(".state").replaceChildren(...(state === "killed" ? [mark("killed")] : []), STATES[state]);
  row.querySelector(".switch").setAttribute("aria-checked", String(flag.settings.on));
  row.querySelector(".served").replaceChildren(...servedInWords(flag).map((sentence) => h("p", {}, withVariants(sentence))));
  say(row.querySelector(".kill"), flag.settings.killed ? "Unkill" : "Kill");
  if (!row.dataset.edited || !before || rampOf(before) !== rampOf(flag)) showRamp(row, flag);
  if (before) changed(row, flag, state);
}

function changed(row, flag, state) {
  announce(`${flag.key} is ${STATES[state]}. ${servedInWords(flag).join(" ").replaceAll("`", "")}`);
  row.classList.add("changed");
  setTimeout(() => row.classList.remove("changed"), CHANGED_MS);
}

const withVariants = (sentence) => sentence.split("`").map((part, index) => (index % 2 ? h("em", { class: "variant" }, part) : part));

const inputs = (row) => [row.querySelector("input[type=range]"), row.querySelector("input[type=number]")];

function showRamp(row, flag) {
  delete row.dataset.edited;
  for (const input of inputs(row)) input.value = rampOf(flag);
  tell(row);
}

function edited(row, value) {
  for (const input of inputs(row)) if (input.value !== value) input.value = value;
  row.dataset.edited = "yes";
  tell(row);
}

/** The slider's filled part and spoken value, and whether there is anything to apply. */
function tell(row) {
  const [range, number] = inputs(row);
  range.style.setProperty("--filled", `${range.value}%`);
  range.setAttribute("aria-valuetext", percent(Number(number.value)));
  row.querySelector(".apply").disabled = number.value === "" || !number.checkValidity() || Number(number.value) === rampOf(row.flag);
}

const flip = (row) => ask(row, row.querySelector(".switch"), "switch", { on: !row.flag.settings.on });
const kill = (row) => ask(row, row.querySelector(".kill"), row.flag.settings.killed ? "unkill" : "kill");

function ramp(event, row) {
  event.preventDefault();
  const wanted = Number(inputs(row)[1].value);
  delete row.dataset.edited;
  ask(row, row.querySelector(".apply"), "ramp", { percent: wanted });
}

async function ask(row, control, deed, body) {
  if (control.getAttribute("aria-busy") === "true") return; // pressed twice
  const refused = row.querySelector(".refused");
  refused.hidden = true;
  control.setAttribute("aria-busy", "true");
  try {
    await api.change(row.flag.key, deed, body);
    if (deed === "ramp") row.querySelector(".apply").disabled = true;
  } catch (error) {
    refused.hidden = false;
    say(refused, `Not done: ${error.message}`);
    showRamp(row, row.flag);
  } finally {
    control.removeAttribute("aria-busy");
  }
}
