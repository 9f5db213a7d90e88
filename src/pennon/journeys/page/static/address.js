// What the address says: `#trace=…` is open, `?q=…` is searched for. Links can be shared, and back goes back.

export const traceInAddress = () => new URLSearchParams(location.hash.slice(1)).get("trace");
export const queryInAddress = () => new URLSearchParams(location.search).get("q") ?? "";

/** Write what is searched for; letters typed are no steps to go back through. */
export function writeQuery(query) {
  const address = new URL(location.href);
  if (query) address.searchParams.set("q", query);
  else address.searchParams.delete("q");
  history.replaceState(history.state, "", address);
}

/** Close what is open, as a step of its own. */
export function leaveTrace() {
  history.pushState(null, "", location.pathname + location.search);
  // Writing the address is silent, other than following a link.
  dispatchEvent(new Event("hashchange"));
}
