// What the page asks of the journeys app, and nothing of anyone else.

const TOKEN = document.querySelector('meta[name="page-token"]').content;

/** What went wrong, in the words of the answer (RFC 9457) where it has some. */
export class Refused extends Error {
  constructor(status, problem) {
    const faults = (problem.faults ?? []).map((fault) => `${fault.path} ${fault.message}`.trim());
    super(faults.join("; ") || problem.detail || problem.title || `the app answered ${status}`);
    this.status = status;
  }
}

/** Summaries, newest first. */
export async function journeys(query, limit) {
  const asked = new URLSearchParams({ limit });
  if (query) asked.set("q", query);
  return (await answer(`/api/journeys?${asked}`)).items;
}

/** One journey with its hops; null if it is not (or no longer) kept. */
export async function journey(traceId) {
  try {
    return await answer(`/api/journeys/${encodeURIComponent(traceId)}`);
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}

/** The flags with their settings and exposures. */
export const flags = async () => (await answer("/api/flags")).items;

/** How carried decisions compare with local ones: {window_s, items}. */
export const divergence = () => answer("/api/divergence");

/** Change a flag; deed: ramp, switch, kill or unkill. */
export const change = (flag, deed, body = {}) =>
  answer(`/api/flags/${encodeURIComponent(flag)}/${deed}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-page-token": TOKEN },
    body: JSON.stringify(body),
  });

/**
 * Follow the app. on: listeners by event name, given the event's data. onLink: "open" or "lost".
 * The browser comes back by itself; where it has given up (an answer that is no stream) we try again.
 */
export function follow(on, onLink) {
  const source = new EventSource("/api/live");
  source.addEventListener("open", () => onLink("open"));
  source.addEventListener("error", () => {
    onLink("lost");
    if (source.readyState === EventSource.CLOSED) setTimeout(() => follow(on, onLink), 1000);
  });
  for (const [name, listener] of Object.entries(on)) {
    source.addEventListener(name, (event) => listener(JSON.parse(event.data)));
  }
  // Left open, the connection would keep the app from finishing when the page is put away for later.
  addEventListener("pagehide", () => source.close(), { once: true });
}

async function answer(path, options = {}) {
  const response = await fetch(path, { ...options, credentials: "same-origin", cache: "no-store" });
  const isJson = (response.headers.get("content-type") ?? "").includes("json");
  const body = isJson ? await response.json() : {};
  if (!response.ok) throw new Refused(response.status, body);
  return body;
}
