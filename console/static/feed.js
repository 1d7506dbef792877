// The feed: a region's stories, newest first, more of them as one scrolls.

import { card } from "./cards.js";
import { el } from "./dom.js";
import { signals } from "./signals.js";
import { chooseRegion, fromEdges, region, regions, regionTitle } from "./stack.js";

const PAGE = 12;
const EAGER = 4;
const list = document.getElementById("cards");
const notice = document.getElementById("feed-notice");
const status = document.getElementById("feed-status");
const fresh = document.getElementById("feed-fresh");
const sentinel = document.getElementById("feed-end");

let loading = null; // AbortController of the page that is on its way
let next = null; // path of the next page
let shown = new Set();
let arrived = new Set(); // stories that came since
let followed = null; // topic of the region

/** Offers what has come since: nothing moves under a reader's finger. */
function followRegion(name) {
  if (followed) signals.leave(followed);
  followed = `feed:${name}`;
  arrived = new Set();
  fresh.hidden = true;
  signals.join(followed, {
    onSignal: ({ kind, value }) => kind === "watchable" && offer(value.asset_id),
    onGap: () => lookForMore(name).catch(() => undefined), // the next signal, or reader, asks again
  });
}

function offer(assetId) {
  if (shown.has(assetId)) return;
  arrived.add(assetId);
  fresh.textContent = arrived.size === 1 ? "A new story is here" : `${arrived.size} new stories are here`;
  fresh.hidden = false;
}

/** Nobody knows what has come while there was no connection: the feed does. */
async function lookForMore(name) {
  const found = await fromEdges(`/feed/${encodeURIComponent(name)}?limit=${PAGE}`, { cache: "no-cache" });
  if (followed !== `feed:${name}`) return;
  for (const story of found?.data.stories ?? []) offer(story.asset_id);
}

fresh.addEventListener("click", () => {
  open(region(), "no-cache"); // the browser's copy is from before
  scrollTo({ top: 0 });
});

function say(title, text, action) {
  notice.replaceChildren(el("h2", {}, title), el("p", {}, text), action);
  notice.hidden = false;
}

async function loadPage(path, cache) {
  loading = new AbortController();
  const { signal } = loading;
  list.setAttribute("aria-busy", "true");
  try {
    const found = await fromEdges(path, { signal, cache });
    append(found);
  } catch (error) {
    if (error.name === "AbortError") return;
    const retry = el("button", { class: "button", type: "button", onclick: () => loadPage(path) }, "Try again");
    say("The stories do not load", "The network or the video edge does not answer at the moment.", retry);
    next = null;
  }
  loading = null;
  list.setAttribute("aria-busy", "false");
  if (next) watcher.observe(sentinel);
}

function append(found) {
  const stories = found ? found.data.stories : [];
  next = found ? found.data.next : null;
  for (const story of stories.filter((each) => !shown.has(each.asset_id))) {
    const eager = shown.size < EAGER;
    shown.add(story.asset_id);
    list.append(card(story, found.edge, { region: region(), eager }));
  }
  notice.hidden = true;
  if (shown.size === 0) {
    const upload = el("a", { class: "button big", href: "/upload" }, "Share the first one");
    say("No stories here yet", `Be the first from ${regionTitle(region())} to tell one.`, upload);
  }
  status.textContent = shown.size === 1 ? "1 story shown" : `${shown.size} stories shown`;
}

const watcher = new IntersectionObserver(
  (entries) => {
    if (!entries.some((entry) => entry.isIntersecting) || loading || !next) return;
    watcher.unobserve(sentinel);
    loadPage(next);
  },
  { rootMargin: "800px" },
);

function open(name, cache) {
  loading?.abort();
  watcher.unobserve(sentinel);
  chooseRegion(name);
  next = null;
  shown = new Set();
  list.replaceChildren();
  notice.hidden = true;
  followRegion(name);
  loadPage(`/feed/${encodeURIComponent(name)}?limit=${PAGE}`, cache);
}

document.getElementById("regions").hidden = regions.length < 2;
for (const name of regions) {
  const radio = el("input", { type: "radio", name: "region", value: name, checked: name === region() });
  radio.addEventListener("change", () => open(name));
  document.getElementById("regions").append(el("label", {}, radio, el("span", {}, regionTitle(name))));
}
open(region());
