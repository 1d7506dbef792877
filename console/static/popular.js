// What people watch: top, rising and cold stories of an edge's regions, in which networks, how they play, and what
// was fetched ahead for them.

import { el } from "./dom.js";
import { keepToken, takeToken } from "./operator.js";
import { chooseRegion, fromEdges, region, regions, regionTitle } from "./stack.js";

const EVERY_MS = 5000;
const SHOWN = 10;
const byId = (id) => document.getElementById(id);
const stories = new Map(); // by asset id: a promise of {title, poster, edge}, null for what is none

let place = null; // the region within the edge; null is all of them
let asking = null; // AbortController of the request that is on its way
let timer = 0;
let token = "";

function about(id) {
  if (!/^[a-z2-7]{16}$/.test(id)) return Promise.resolve(null);
  if (!stories.has(id)) {
    const found = fromEdges(`/api/assets/${id}`).then((answer) => answer && { ...answer.data, edge: answer.edge });
    stories.set(id, found.catch(() => null));
  }
  return stories.get(id);
}

const number = (value, digits = 0) => value.toLocaleString("en", { maximumFractionDigits: digits });
const percent = (share) => `${number(share * 100, share < 0.1 ? 1 : 0)} %`;
const rate = (value) => number(value, value < 10 ? 1 : 0);
const speed = (kbps) => (kbps == null ? "–" : kbps < 1000 ? `${number(kbps)} kbit/s` : `${number(kbps / 1000, 1)} Mbit/s`);
const bytes = (count) => {
  const power = Math.min(4, Math.floor(Math.log10(Math.max(count, 1)) / 3));
  return `${number(count / 1000 ** power, count < 1e12 && power ? 1 : 0)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
};
const seconds = (ms) => (ms == null ? "–" : `${number(ms / 1000, 1)} s`);

function row(story, position, kind) {
  const picture = el("span", { class: "picture", "aria-hidden": "true" }, String(position));
  const name = el("span", { class: "untitled" }, story.story);
  const change = kind === "top" ? null : el("small", { class: kind === "rising" ? "up" : "down" }, `${number(story.change, 2)} × its share before`);
  const words = el("div", { class: "name" }, name, change);
  const count = el("div", { class: "rate" }, rate(story.per_minute), el("small", {}, "a minute"));
  const item = el("li", {}, picture, words, count);
  item.style.setProperty("--share", String(Math.min(1, story.share)));
  item.title = `${percent(story.share)} of all requests`;
  about(story.story).then((found) => {
    if (!found) return;
    name.replaceWith(el("a", { href: `/watch/${story.story}` }, found.title || "Untitled"));
    if (found.poster) picture.replaceChildren(el("img", { src: found.edge + found.poster, alt: "", loading: "lazy" }));
  });
  return item;
}

const EMPTY = { top: "Nobody has watched anything yet.", rising: "Nothing rises just now.", cold: "Nothing gets cold just now." };

function showStories(said) {
  for (const kind of ["top", "rising", "cold"]) {
    const rows = said[kind].map((story, index) => row(story, index + 1, kind));
    byId(kind).replaceChildren(...(rows.length ? rows : [el("li", { class: "none" }, EMPTY[kind])]));
  }
  const requests = said.per_minute === 1 ? "1 request" : `${rate(said.per_minute)} requests`;
  byId("rate").textContent = `${requests} for video a minute.`;
}

function showTiles(id, tiles) {
  byId(id).replaceChildren(...tiles.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

function showNetworks(said) {
  byId("networks").hidden = said.networks.length === 0;
  byId("network-rows").replaceChildren(
    ...said.networks.map(({ network, per_minute: perMinute, share }) => {
      const cell = said.network_quality[network];
      const name = network.startsWith("as") ? network.toUpperCase() : network;
      return el(
        "tr",
        {},
        el("th", { scope: "row" }, name),
        el("td", {}, percent(share)),
        el("td", { class: "detail" }, rate(perMinute)),
        el("td", {}, speed(cell?.measured_throughput_kbps.p50)),
        el("td", {}, seconds(cell?.buffer_length_ms.p50)),
        el("td", {}, cell ? percent(cell.starved_share) : "–"),
      );
    }),
  );
}

function showPrewarming({ on, precision, used_bytes: used, wasted_bytes: wasted }) {
  const known = used + wasted;
  byId("prewarm-note").textContent = !on
    ? "This edge fetches nothing ahead of players."
    : known
      ? "What was fetched before anybody asked, and is used or given up by now; all regions."
      : "Nothing that was fetched ahead is used or given up yet.";
  const tiles = [
    ["Fetched ahead", bytes(known)],
    ["Of that, used", percent(precision)],
    ["Wasted", bytes(wasted)],
  ];
  showTiles("prewarm-tiles", on && known ? tiles : []);
}

function showQuality(said) {
  const hour = said.hours[0];
  const tiles = hour && [
    ["Throughput, half have more", speed(hour.measured_throughput_kbps.p50)],
    ["One in ten has less than", speed(hour.measured_throughput_kbps.p10)],
    ["Buffer, half have more", seconds(hour.buffer_length_ms.p50)],
    ["Start, half are faster", seconds(hour.media_start_delay_ms.p50)],
    ["Reports of an empty buffer", percent(hour.starved_share)],
  ];
  byId("quality-note").textContent = hour
    ? `What players told since ${new Date(hour.hour * 3600000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}.`
    : "Too few players have told anything yet: five of them must, so that nobody can be picked out.";
  showTiles("tiles", tiles || []);
  const rows = Object.entries(said.devices).sort(([, one], [, other]) => other.reports - one.reports);
  byId("devices").hidden = rows.length === 0;
  byId("devices").tBodies[0].replaceChildren(
    ...rows.map(([device, cell]) =>
      el(
        "tr",
        {},
        el("th", { scope: "row" }, device === "tv" ? "TV" : device),
        el("td", {}, number(cell.reports)),
        el("td", {}, speed(cell.measured_throughput_kbps.p50)),
        el("td", {}, seconds(cell.buffer_length_ms.p50)),
        el("td", {}, percent(cell.starved_share)),
      ),
    ),
  );
}

function pill(group, value, title, checked, chosen) {
  const radio = el("input", { type: "radio", name: group, value, checked });
  radio.addEventListener("change", chosen);
  return el("label", {}, radio, el("span", {}, title));
}

function placeTitle(name) {
  if (!name) return "Everywhere";
  return name.length === 2 ? name.toUpperCase() : regionTitle(name); // a country, as providers tell it
}

function showPlaces(said) {
  const known = said.regions.length > 1 ? [null, ...said.regions] : [];
  const group = byId("places");
  const names = known.map((name) => name ?? "").join(" ");
  group.hidden = known.length === 0;
  if (group.dataset.names === names) return;
  group.dataset.names = names;
  const choose = (name) => () => {
    place = name;
    ask();
  };
  const pills = known.map((name) => pill("place", name ?? "", placeTitle(name), name === place, choose(name)));
  group.replaceChildren(group.firstElementChild, ...pills);
}

function demand(problem) {
  byId("entry").hidden = false;
  byId("told").hidden = true;
  byId("problem").hidden = !problem;
  byId("problem").textContent = problem;
}

async function ask() {
  asking?.abort();
  clearTimeout(timer);
  if (!token) return demand("");
  asking = new AbortController();
  const query = new URLSearchParams({ edge: region(), limit: String(SHOWN), ...(place && { region: place }) });
  try {
    const response = await fetch(`/popular.json?${query}`, { signal: asking.signal, headers: { authorization: `Bearer ${token}` } });
    if (response.status === 401) return demand("That is not the token of this edge.");
    const said = await response.json();
    if (!response.ok) throw new Error(said.error);
    showPlaces(said);
    showStories(said);
    showQuality(said);
    showNetworks(said);
    showPrewarming(said.prewarm);
    byId("entry").hidden = true;
    byId("told").hidden = false;
  } catch (error) {
    if (error.name === "AbortError") return;
    byId("rate").textContent = `Nothing to show: ${error.message}.`;
  }
  timer = setTimeout(ask, EVERY_MS);
}

byId("entry").addEventListener("submit", (event) => {
  event.preventDefault();
  token = byId("token").value.trim();
  keepToken(token);
  ask();
});
byId("edges").hidden = regions.length < 2;
for (const name of regions) {
  const choose = () => {
    chooseRegion(name);
    place = null;
    ask();
  };
  byId("edges").append(pill("edge", name, regionTitle(name), name === region(), choose));
}
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : ask()));
addEventListener("hashchange", () => {
  token = takeToken();
  ask();
});
token = takeToken();
ask();
