// Learns of better renditions: asks for the multivariant playlist again until the asset is complete.

const EVERY_MS = 2000;
const SLOWER_AFTER = 150; // polls; five minutes
const SLOWER_MS = 15000;
const GIVE_UP_AFTER = 500; // polls; an asset that never completes
const AFTER_COMPLETE = 4; // a browser may answer the first of these from its stale copy

/**
 * Calls `onChange(text, url)` whenever the playlist's validator changed; `address` gives its URL.
 *
 * The browser makes the request conditional by itself: an If-None-Match of ours would cost every
 * poll a CORS preflight. `cache: "default"` lets an edge answer all viewers from its own copy.
 */
export function pollPlaylist(address, { onChange, isComplete, signal }) {
  let seen = null;
  let polls = 0;
  let afterComplete = 0;
  let timer = null;

  async function poll() {
    if (signal.aborted) return;
    polls += 1;
    if (!document.hidden) await look().catch(() => undefined); // offline: the next poll asks again
    if (isComplete() && (afterComplete += 1) > AFTER_COMPLETE) return;
    if (polls < GIVE_UP_AFTER) timer = setTimeout(poll, polls < SLOWER_AFTER ? EVERY_MS : SLOWER_MS);
  }

  async function look() {
    const url = address();
    const response = await fetch(url, { signal, cache: "default" });
    if (!response.ok) return;
    const text = await response.text();
    const validator = response.headers.get("etag") ?? text;
    if (validator === seen) return;
    seen = validator;
    onChange(text, url);
  }

  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  timer = setTimeout(poll, EVERY_MS);
}
