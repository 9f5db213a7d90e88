// The page: what the address says is shown, what the app tells is passed on, and the keys that hold everywhere.

import { leaveTrace, queryInAddress, traceInAddress, writeQuery } from "./address.js";
import * as api from "./api.js";
import { journeyGrew, open } from "./detail.js";
import { divergenceFailed, showDivergence } from "./divergence.js";
import { byId } from "./dom.js";
import { experimentsFailed, showExperiments } from "./experiments.js";
import { flagsFailed, showFlags } from "./flags.js";
import { focusLine, journeyArrived, load, markOpen, search } from "./journeys.js";
import { showLink, showTraffic } from "./traffic.js";
import { markAndWord } from "./words.js";

const field = byId("search");
let lastOpen = null;
let isFollowing = false;

function showAll(flags) {
  showFlags(flags);
  showExperiments(flags);
}

async function readFlags() {
  try {
    showAll(await api.flags());
  } catch (error) {
    flagsFailed(error.message);
    experimentsFailed(error.message);
  }
}

async function readDivergence() {
  try {
    showDivergence(await api.divergence());
  } catch (error) {
    divergenceFailed(error.message);
  }
}

/** Open what the address names; back in the list, the focus returns to the line it came from. */
async function showTrace() {
  const traceId = traceInAddress();
  markOpen(traceId);
  await open(traceId);
  if (traceId !== null) view("journeys");
  else if (lastOpen !== null) focusLine(lastOpen);
  lastOpen = traceId;
}

function view(name) {
  document.body.dataset.view = name;
  for (const tab of document.querySelectorAll(".tabs button")) tab.setAttribute("aria-pressed", String(tab.dataset.view === name));
}

function lookFor(text) {
  writeQuery(text.trim());
  return search(text);
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyping = event.target.matches("input");
  if (event.key === "Escape" && traceInAddress() !== null) leaveTrace();
  else if (event.key === "Escape" && event.target === field && field.value) lookFor("");
  else if (event.key === "/" && !isTyping) {
    event.preventDefault();
    view("journeys");
    field.focus();
    field.select();
  } else if (event.key === "ArrowDown" && event.target === field) {
    event.preventDefault();
    focusLine(null);
  }
}

function onLink(state) {
  showLink(state);
  if (state !== "open") return;
  // What was told while the line was down is asked for.
  if (isFollowing) {
    readFlags();
    readDivergence();
    load();
  }
  isFollowing = true;
}

for (const item of document.querySelectorAll(".legend [data-how]")) item.append(...markAndWord(item.dataset.how));
for (const tab of document.querySelectorAll(".tabs button")) tab.addEventListener("click", () => view(tab.dataset.view));
let typing;
field.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => lookFor(field.value), 200);
});
byId("search-form").addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  lookFor(field.value);
});
addEventListener("keydown", onKey);
addEventListener("hashchange", showTrace);
addEventListener("popstate", () => queryInAddress() !== field.value.trim() && search(queryInAddress()));

api.follow({ traffic: showTraffic, flags: (told) => showAll(told.items ?? told), divergence: showDivergence, journey: (told) => { journeyArrived(told); journeyGrew(told); } }, onLink);
readFlags();
readDivergence();
search(queryInAddress());
showTrace();
