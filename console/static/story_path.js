// Where a story's names begin: behind a token where paths are signed, and then only for a while.
//
// A page that is open for hours asks for another path before its own has expired. Every URL is made
// with the newest one when it is asked for, so a change interrupts nothing.

import { fromEdges, signed } from "./stack.js";

const PICKED = "amaro.path."; // of stories that were picked from a feed
const RENEW_AFTER = [0.4, 0.7]; // of the time that is left, at random: not all pages at once
const SOONEST_MS = 5000;

const plain = (assetId) => `/v/${assetId}`;

/** Takes a story's path along to the page that plays it: it begins sooner, without the origin. */
export function takeAlong({ asset_id: assetId, playback }) {
  if (!signed || !playback) return;
  try {
    sessionStorage.setItem(PICKED + assetId, playback.replace(/\/[^/]*$/, ""));
  } catch {
    // storage is off: the page asks
  }
}

function taken(assetId) {
  try {
    return sessionStorage.getItem(PICKED + assetId) ?? "";
  } catch {
    return "";
  }
}

/** A story as the API has it; null when there is none. Throws when nobody answers. */
export async function askForStory(assetId) {
  const found = await fromEdges(`/api/assets/${encodeURIComponent(assetId)}`, { cache: "no-store" });
  return found?.data ?? null;
}

export class StoryPath {
  #assetId;
  #base;
  #ofStory; // splits a URL of its names, whatever opens it
  #asking = null;
  #timer = null;

  constructor(assetId) {
    this.#assetId = assetId;
    const known = taken(assetId);
    this.#base = known.endsWith(plain(assetId)) ? known : plain(assetId);
    const name = assetId.replace(/[^\w-]/g, "\\$&");
    this.#ofStory = new RegExp(`^([a-z]+://[^/]+)(?:/~[^/]*)?/v/${name}(?=/)`);
  }

  /** Whether there is any use in trying it. */
  get mayOpen() {
    return !signed || this.#base !== plain(this.#assetId);
  }

  /** The path, without a slash at its end. */
  get base() {
    return this.#base;
  }

  /** A URL of the story's names, with what opens them now. */
  newest(url) {
    return url.replace(this.#ofStory, (_, host) => host + this.#base);
  }

  /** Goes on with the path that the API tells of a story; whether it is another one. */
  take(story) {
    const { base, opens_for_s: seconds } = story ?? {};
    if (!base) return false;
    const isOther = base !== this.#base;
    this.#base = base;
    clearTimeout(this.#timer);
    if (seconds != null) this.#timer = setTimeout(() => this.#renewInTime(), renewalMs(seconds));
    return isOther;
  }

  /** Asks for the path of now; whether it is another one. One question at a time. */
  renew() {
    this.#asking ??= askForStory(this.#assetId)
      .then((story) => this.take(story))
      .finally(() => (this.#asking = null));
    return this.#asking;
  }

  close() {
    clearTimeout(this.#timer);
  }

  #renewInTime() {
    this.renew().catch(() => {
      this.#timer = setTimeout(() => this.#renewInTime(), renewalMs(60));
    });
  }
}

function renewalMs(seconds) {
  const [least, most] = RENEW_AFTER;
  return Math.max(SOONEST_MS, 1000 * seconds * (least + (most - least) * Math.random()));
}
