// Loads for hls.js, and gives up on who falls silent in the middle of an answer.
//
// Left alone, hls.js waits four seconds for the first byte, but twenty for the last: a host that goes
// quiet between the two takes all that is buffered with it.

import { Hls } from "./vendor/hls.min.mjs";

const LOOK_MS = 250;
const SILENT_MS = 4000;
const SAID_BYTES = 4096; // fewer than these in that time are silence, too: no sound is as slow
const HURRY_MS = 1000; // at a host that has just failed
const BOXES = new Set(["emsg", "free", "ftyp", "mdat", "moof", "moov", "prft", "sidx", "skip", "styp", "uuid"]);

/** hls.js's own loader, but an answer that stops is a time-out. `config.inFlight` has all that load. */
export class WaryLoader extends Hls.DefaultConfig.loader {
  #inFlight;
  #looking = null;
  #lookedMs = 0;
  #quietMs = 0;
  #heard = 0; // bytes
  #isHurried = false;
  #isSilent = false;

  constructor(config) {
    super(config);
    this.#inFlight = config.inFlight;
  }

  load(context, config, callbacks) {
    const last = (name) => (...told) => {
      this.#rest();
      callbacks[this.#isSilent ? "onTimeout" : name]?.(...told);
    };
    const ends = ["onSuccess", "onError", "onTimeout", "onAbort"].map((name) => [name, last(name)]);
    this.#inFlight.add(this);
    this.#lookedMs = performance.now();
    this.#looking = setInterval(() => this.#look(), LOOK_MS);
    super.load(context, config, { ...callbacks, ...Object.fromEntries(ends) });
  }

  destroy() {
    this.#rest();
    super.destroy();
  }

  /** Be short with this host: it has just failed another. */
  hurry(hostname) {
    this.#isHurried ||= new URL(this.context.url).hostname === hostname;
  }

  #look() {
    const { loaded, loading } = this.stats;
    const nowMs = performance.now();
    const passedMs = Math.min(nowMs - this.#lookedMs, 2 * LOOK_MS); // a page that slept heard nobody
    this.#lookedMs = nowMs;
    if (Math.abs(loaded - this.#heard) >= SAID_BYTES) {
      this.#heard = loaded;
      this.#quietMs = 0;
    } else if (loading.first || this.#isHurried) {
      this.#quietMs += passedMs; // for the first byte, hls.js waits
    }
    if (this.#quietMs < (this.#isHurried ? HURRY_MS : SILENT_MS)) return;
    this.#isSilent = true;
    this.abort();
  }

  #rest() {
    clearInterval(this.#looking);
    this.#inFlight.delete(this);
  }
}

/** Whether these bytes are whole boxes of fragmented MP4, one after the other (ISO/IEC 14496-12). */
export function isMedia(buffer) {
  const view = new DataView(buffer);
  let at = 0;
  while (at + 8 <= view.byteLength) {
    const type = String.fromCharCode(...new Uint8Array(buffer, at + 4, 4));
    let size = view.getUint32(at);
    if (size === 1 && at + 16 <= view.byteLength) size = Number(view.getBigUint64(at + 8));
    else if (size === 0) size = view.byteLength - at; // to the end
    if (size < 8 || !BOXES.has(type)) return false;
    at += size;
  }
  return at === view.byteLength && at > 0;
}

/** Loads segments, and calls what is no media an error of whoever sent it: hls.js appends whatever comes. */
export class MediaLoader extends WaryLoader {
  load(context, config, callbacks) {
    const onSuccess = (response, stats, asked, details) => {
      if (context.frag?.encrypted || isMedia(response.data)) callbacks.onSuccess(response, stats, asked, details);
      else callbacks.onError({ code: response.code, text: "not media" }, asked, details, stats);
    };
    super.load(context, config, { ...callbacks, onSuccess });
  }
}
