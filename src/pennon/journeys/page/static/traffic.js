// The traffic in the head of the page: what the app tells each second, and the last minute of it as a line.

import { byId, say } from "./dom.js";
import { count } from "./words.js";

const KEPT_COUNT = 60;
const WIDTH = 120;
const HEIGHT = 24;
const seen = [];

/** One second's figures. */
export function showTraffic({ per_s, journeys_total, errors_total }) {
  say(byId("per-s"), per_s >= 100 ? count(Math.round(per_s)) : per_s.toFixed(1));
  say(byId("total"), count(journeys_total));
  say(byId("errors"), count(errors_total));
  byId("errors").classList.toggle("bad", errors_total > 0);
  seen.push(per_s);
  seen.splice(0, seen.length - KEPT_COUNT);
  draw();
}

/** Whether events arrive. */
export function showLink(state) {
  const link = byId("link");
  link.dataset.state = state;
  say(link, { open: "live", lost: "connection lost, trying again" }[state]);
}

function draw() {
  const spark = byId("spark");
  const most = Math.max(...seen, 1);
  const points = seen.map((per_s, index) => {
    const x = WIDTH - (seen.length - 1 - index) * (WIDTH / (KEPT_COUNT - 1));
    return `${x.toFixed(1)} ${(HEIGHT - 1 - (per_s / most) * (HEIGHT - 3)).toFixed(1)}`;
  });
  const [first] = points[0].split(" ");
  spark.querySelector(".spark-line").setAttribute("d", `M${points.join("L")}`);
  spark.querySelector(".spark-area").setAttribute("d", `M${first} ${HEIGHT}L${points.join("L")}L${WIDTH} ${HEIGHT}z`);
  spark.setAttribute("aria-label", `Journeys per second in the last ${seen.length} s, at most ${Math.round(most)}`);
}
