// The player's controls: native buttons, sliders and radios, so that every input device works.

import { clock, el, icon, setIcon, spokenTime } from "./dom.js";
import { cueAt } from "./thumbnails.js";

const HIDE_AFTER_MS = 2600;
const BUSY_AFTER_MS = 350;
const PREVIEW_WIDTH = 168;
const STEP_S = 5;
const LEAP_S = 10;

export class Controls {
  /** Gives the cues of the thumbnail track; asked for when somebody first touches the seek bar. */
  askThumbnails = async () => [];
  /** Gives the URL by which a picture opens now. */
  newest = (url) => url;
  #thumbnails = null; // null: not asked for
  #previewed = 0; // the time under the pointer, in seconds
  #root;
  #video;
  #quality;
  #title;
  #retry;
  #hideTimer = null;
  #busyTimer = null;
  #scrubbing = false;
  #listening = new AbortController();
  #parts = {};

  constructor(root, video, { title, quality, retry }) {
    this.#root = root;
    this.#video = video;
    this.#title = title;
    this.#quality = quality;
    this.#retry = retry;
    this.#build();
    this.#listen();
    this.#update();
  }

  destroy() {
    this.#listening.abort();
    clearTimeout(this.#hideTimer);
    clearTimeout(this.#busyTimer);
    this.#root.replaceChildren();
  }

  showError(sentence, canRetry) {
    const { error } = this.#parts;
    const again = el("button", { type: "button", class: "button", onclick: this.#retry }, "Try again");
    error.replaceChildren(el("p", {}, sentence), canRetry ? again : "");
    error.hidden = false;
    this.#root.dataset.state = "error";
  }

  clearError() {
    this.#parts.error.hidden = true;
    delete this.#root.dataset.state;
  }

  refreshQuality() {
    const { menu, choices } = this.#parts;
    const { chosen, shown } = this.#quality.quality;
    const options = this.#quality.qualities;
    const auto = shown && chosen === -1 ? `Automatic (${shown})` : "Automatic";
    const rows = [{ number: -1, label: auto }, ...options];
    const held = choices.contains(document.activeElement) ? document.activeElement.value : null;
    choices.replaceChildren(
      ...rows.map(({ number, label, bitsPerSecond }) => {
        const radio = el("input", { type: "radio", name: "quality", value: number, checked: number === chosen });
        const rate = bitsPerSecond ? `${(bitsPerSecond / 1e6).toFixed(1)} Mbit/s` : null;
        return el("label", {}, radio, el("span", {}, label), rate && el("small", {}, rate));
      }),
    );
    if (held !== null) choices.querySelector(`input[value="${held}"]`)?.focus();
    menu.hidden = options.length === 0;
    this.#parts.shown.textContent = shown ?? "";
  }

  #build() {
    const button = (name, onclick, extra = {}) => el("button", { type: "button", class: name, onclick, ...extra });
    const range = (name, label, max, step) =>
      el("input", { type: "range", class: name, "aria-label": label, min: 0, max, step, value: 0 });
    const p = this.#parts;
    p.big = button("big-play", () => this.#toggle(), { "aria-label": "Play" });
    p.big.append(icon("play"));
    p.busy = el("div", { class: "busy", hidden: true, role: "status" }, el("span", { class: "visually-hidden" }, "Loading"));
    p.error = el("div", { class: "player-error", role: "alert", hidden: true });
    p.play = button("play", () => this.#toggle());
    p.seek = range("seek", "Seek", 100, "any");
    p.picture = el("div", { class: "picture" });
    p.pictureTime = el("span", {});
    p.preview = el("div", { class: "preview", hidden: true, "aria-hidden": "true" }, p.picture, p.pictureTime);
    p.mute = button("mute", () => (this.#video.muted = !this.#video.muted));
    p.volume = range("volume", "Volume", 1, 0.05);
    p.time = el("span", { class: "time" });
    p.shown = el("span", { class: "shown" });
    p.choices = el("div", { class: "choices" });
    p.choices.addEventListener("change", (event) => this.#choose(Number(event.target.value)));
    p.opener = button("opener", () => this.#openMenu(p.sheet.hidden), { "aria-expanded": "false", "aria-label": "Quality", title: "Quality" });
    p.opener.append(icon("quality"), p.shown);
    p.sheet = el("fieldset", { class: "sheet", hidden: true }, el("legend", {}, "Quality"), p.choices);
    p.menu = el("div", { class: "menu", hidden: true }, p.sheet, p.opener);
    p.full = button("full", () => this.#toggleFull());
    p.bar = el(
      "div",
      { class: "bar" },
      el("div", { class: "seeker" }, p.preview, p.seek),
      el("div", { class: "row" }, p.play, p.mute, p.volume, p.time, el("span", { class: "gap" }), p.menu, p.full),
    );
    this.#root.classList.add("player");
    this.#root.setAttribute("role", "region");
    this.#root.setAttribute("aria-label", "Video player");
    this.#root.replaceChildren(this.#video, p.busy, p.big, p.bar, p.error);
    this.#video.setAttribute("aria-label", this.#title ?? "Video");
  }

  #listen() {
    const { signal } = this.#listening;
    const video = this.#video;
    const p = this.#parts;
    const on = (target, names, handler) => {
      for (const name of names.split(" ")) target.addEventListener(name, handler, { signal });
    };
    on(video, "play pause ended timeupdate durationchange volumechange progress seeked loadedmetadata", () => this.#update());
    on(video, "waiting seeking", () => this.#busy(true));
    on(video, "playing canplay seeked pause", () => this.#busy(false));
    on(video, "click", (event) => this.#onVideoClick(event));
    on(this.#root, "pointermove pointerdown focusin", () => this.#awake());
    on(this.#root, "pointerleave", () => this.#sleep());
    on(this.#root, "keydown", (event) => this.#onKey(event));
    on(p.seek, "pointerenter pointerdown focus", () => this.#wantThumbnails());
    on(p.seek, "input", () => this.#scrub());
    on(p.seek, "change", () => this.#endScrub());
    on(p.seek, "pointermove", (event) => this.#showPreview(this.#timeAt(event.clientX)));
    on(p.seek, "pointerleave blur", () => (p.preview.hidden = true));
    on(p.volume, "input", () => {
      video.volume = p.volume.valueAsNumber;
      video.muted = video.volume === 0;
    });
    on(document, "fullscreenchange", () => this.#update());
    on(document, "pointerdown", (event) => {
      if (!p.menu.contains(event.target)) this.#openMenu(false);
    });
  }

  #update() {
    const video = this.#video;
    const p = this.#parts;
    const duration = Number.isFinite(video.duration) ? video.duration : 0;
    const playing = !video.paused && !video.ended;
    const started = video.currentTime > 0 || playing;
    if (video.ended) setIcon(p.play, "replay", "Play again");
    else setIcon(p.play, playing ? "pause" : "play", playing ? "Pause" : "Play");
    setIcon(p.mute, video.muted ? "mute" : "loud", video.muted ? "Unmute" : "Mute");
    const isFull = document.fullscreenElement === this.#root;
    setIcon(p.full, isFull ? "small" : "full", isFull ? "Leave full screen" : "Full screen");
    p.big.hidden = started;
    p.volume.value = video.muted ? 0 : video.volume;
    p.volume.style.setProperty("--played", `${p.volume.value * 100}%`);
    p.seek.max = duration || 1;
    p.seek.disabled = !duration;
    if (!this.#scrubbing) this.#setSeek(video.currentTime, duration);
    p.seek.style.setProperty("--buffered", `${share(bufferedEnd(video), duration)}%`);
    this.#root.dataset.playing = playing;
    if (playing) this.#awakeOnce();
    else this.#awake();
  }

  #setSeek(time, duration) {
    const p = this.#parts;
    p.seek.value = time;
    p.seek.style.setProperty("--played", `${share(time, duration)}%`);
    p.seek.setAttribute("aria-valuetext", `${spokenTime(time)} of ${spokenTime(Math.round(duration))}`);
    p.time.textContent = `${clock(time)} / ${clock(Math.round(duration))}`;
  }

  #toggle() {
    const video = this.#video;
    if (video.paused || video.ended) video.play().catch(() => undefined);
    else video.pause();
  }

  #seekTo(time) {
    const duration = Number.isFinite(this.#video.duration) ? this.#video.duration : 0;
    this.#video.currentTime = Math.min(Math.max(time, 0), Math.max(duration - 0.05, 0));
  }

  #scrub() {
    this.#scrubbing = true;
    const time = this.#parts.seek.valueAsNumber;
    this.#setSeek(time, this.#video.duration);
    this.#showPreview(time);
  }

  #endScrub() {
    this.#scrubbing = false;
    this.#seekTo(this.#parts.seek.valueAsNumber);
    this.#parts.preview.hidden = true;
  }

  #timeAt(clientX) {
    const box = this.#parts.seek.getBoundingClientRect();
    const along = Math.min(1, Math.max(0, (clientX - box.left) / box.width));
    return along * (Number.isFinite(this.#video.duration) ? this.#video.duration : 0);
  }

  async #wantThumbnails() {
    if (this.#thumbnails !== null || this.#video.readyState === 0) return;
    this.#thumbnails = [];
    const cues = await this.askThumbnails().catch(() => []);
    this.#thumbnails = cues.length ? cues : null; // not there yet: the next touch asks again
    if (cues.length && !this.#parts.preview.hidden) this.#showPreview(this.#previewed);
  }

  #showPreview(time) {
    this.#previewed = time;
    const { preview, picture, pictureTime, seek } = this.#parts;
    const cue = this.#thumbnails?.length ? cueAt(this.#thumbnails, time) : null;
    preview.hidden = seek.disabled;
    pictureTime.textContent = clock(time);
    picture.hidden = !cue;
    if (cue) {
      const scale = Math.min(PREVIEW_WIDTH / cue.w, PREVIEW_WIDTH / cue.h);
      Object.assign(picture.style, {
        width: `${cue.w}px`,
        height: `${cue.h}px`,
        zoom: scale,
        backgroundImage: `url("${this.newest(cue.url)}")`,
        backgroundPosition: `-${cue.x}px -${cue.y}px`,
      });
    }
    const width = seek.clientWidth;
    const half = preview.offsetWidth / 2;
    const at = share(time, this.#video.duration) / 100 * width;
    preview.style.left = `${Math.min(Math.max(at, half), Math.max(width - half, half))}px`;
  }

  #choose(number) {
    this.#quality.chooseQuality(number);
    this.refreshQuality();
  }

  #openMenu(open) {
    const { sheet, opener, choices } = this.#parts;
    if (sheet.hidden === !open) return;
    sheet.hidden = !open;
    opener.setAttribute("aria-expanded", String(open));
    if (open) choices.querySelector("input:checked")?.focus();
  }

  #toggleFull() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (this.#root.requestFullscreen) this.#root.requestFullscreen().catch(() => undefined);
    else this.#video.webkitEnterFullscreen?.(); // iPhones give full screen to the video only
  }

  #onVideoClick(event) {
    if (event.pointerType === "touch" && this.#root.dataset.idle === "true") return; // first touch wakes
    this.#toggle();
  }

  #onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { target, key } = event;
    if (key === "Escape" && !this.#parts.sheet.hidden) {
      this.#openMenu(false);
      this.#parts.opener.focus();
      return;
    }
    if (target.type === "radio" || (target.type === "range" && target !== this.#parts.seek)) return;
    if (target.closest("button") && (key === " " || key === "Enter")) return; // the button's own
    const action = this.#actions()[key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
    this.#awake();
  }

  #actions() {
    const video = this.#video;
    const by = (seconds) => () => this.#seekTo(video.currentTime + seconds);
    const louder = (step) => () => {
      video.muted = false;
      video.volume = Math.min(1, Math.max(0, video.volume + step));
    };
    return {
      " ": () => this.#toggle(),
      k: () => this.#toggle(),
      arrowleft: by(-STEP_S),
      arrowright: by(STEP_S),
      j: by(-LEAP_S),
      l: by(LEAP_S),
      home: () => this.#seekTo(0),
      end: () => this.#seekTo(video.duration),
      arrowup: louder(0.1),
      arrowdown: louder(-0.1),
      m: () => (video.muted = !video.muted),
      f: () => this.#toggleFull(),
    };
  }

  #busy(is) {
    clearTimeout(this.#busyTimer);
    this.#parts.busy.hidden = true;
    if (is) this.#busyTimer = setTimeout(() => (this.#parts.busy.hidden = false), BUSY_AFTER_MS);
  }

  #awakeOnce() {
    if (this.#hideTimer === null) this.#awake();
  }

  #awake() {
    clearTimeout(this.#hideTimer);
    this.#root.dataset.idle = "false";
    this.#hideTimer = setTimeout(() => this.#sleep(), HIDE_AFTER_MS);
  }

  #sleep() {
    const busyHands = this.#root.querySelector(":focus-visible") || !this.#parts.sheet.hidden;
    if (this.#root.dataset.playing === "true" && !busyHands) this.#root.dataset.idle = "true";
  }
}

function share(part, whole) {
  return whole > 0 ? Math.min(100, (100 * part) / whole) : 0;
}

function bufferedEnd({ buffered, currentTime }) {
  for (let i = 0; i < buffered.length; i += 1) {
    if (buffered.start(i) <= currentTime + 0.5 && buffered.end(i) > currentTime) return buffered.end(i);
  }
  return 0;
}
