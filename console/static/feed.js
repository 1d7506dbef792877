// The feed: a region's stories, newest first, more of them as one scrolls.

import { card } from "./cards.js";
import { el } from "./dom.js";
import { chooseRegion, fromEdges, region, regions, regionTitle } from "./stack.js";

const PAGE = 12;
const EAGER = 4;
const list = document.getElementById("cards");
const notice = document.getElementById("feed-notice");
const status = document.getElementById("feed-status");
const sentinel = document.getElementById("feed-end");

let loading = null; // AbortController of the page that is on its way
let next = null; // path of the next page
let shown = new Set();

function say(title, text, action) {
  notice.replaceChildren(el("h2", {}, title), el("p", {}, text), action);
  notice.hidden = false;
}

async function loadPage(path) {
  loading = new AbortController();
  const { signal } = loading;
  list.setAttribute("aria-busy", "true");
  try {
    const found = await fromEdges(path, { signal });
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
  const fresh = stories.filter((story) => !shown.has(story.asset_id));
  for (const story of fresh) {
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

function open(name) {
  loading?.abort();
  watcher.unobserve(sentinel);
  chooseRegion(name);
  next = null;
  shown = new Set();
  list.replaceChildren();
  notice.hidden = true;
  loadPage(`/feed/${encodeURIComponent(name)}?limit=${PAGE}`);
}

document.getElementById("regions").hidden = regions.length < 2;
for (const name of regions) {
  const radio = el("input", { type: "radio", name: "region", value: name, checked: name === region() });
  radio.addEventListener("change", () => open(name));
  document.getElementById("regions").append(el("label", {}, radio, el("span", {}, regionTitle(name))));
}
open(region());
