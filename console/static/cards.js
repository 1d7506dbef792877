// A story as a card: poster, title, duration and age.

import { age, clock, el, spokenTime } from "./dom.js";
import { takeAlong } from "./story_path.js";

/** A list item for one story of a feed; posters come from `edge`. */
export function card(story, edge, { region, eager = false } = {}) {
  const title = story.title || "Untitled story";
  const published = Number(story.published);
  const wide = story.width >= story.height;
  const poster = story.poster
    ? el("img", {
        src: edge + story.poster,
        alt: "",
        width: story.width,
        height: story.height,
        loading: eager ? "eager" : "lazy",
        fetchpriority: eager ? "high" : null,
        decoding: "async",
        onerror: (event) => event.target.remove(),
      })
    : null;
  const length = el(
    "span",
    { class: "length" },
    el("span", { "aria-hidden": "true" }, clock(Math.round(story.duration_s))),
    el("span", { class: "visually-hidden" }, `${spokenTime(Math.round(story.duration_s))} long`),
  );
  const when = el("time", { datetime: new Date(published * 1000).toISOString() }, age(published));
  const query = region ? `?region=${encodeURIComponent(region)}` : "";
  const link = el(
    "a",
    { href: `/watch/${story.asset_id}${query}`, onclick: () => takeAlong(story) },
    title,
  );
  return el(
    "li",
    { class: wide ? "card wide" : "card", "data-asset": story.asset_id },
    el("div", { class: "poster" }, poster),
    length,
    el("div", { class: "caption" }, el("h2", {}, link), when),
  );
}
