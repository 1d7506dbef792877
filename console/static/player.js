// A video player: hls.js (or the browser's own HLS) behind controls that a keyboard can work.

import { Controls } from "./controls.js";
import { el } from "./dom.js";
import { HandOver } from "./hand_over.js";
import { MediaLoader, WaryLoader } from "./loaders.js";
import { CalmSteering, PathwayErrors } from "./pathways.js";
import { pollPlaylist } from "./playlist_poll.js";
import { StoryPath } from "./story_path.js";
import { loadThumbnails } from "./thumbnails.js";
import { Hls } from "./vendor/hls.min.mjs";

const FIRST_BYTE_MS = 4000;
const HERE = "here"; // the pathway of the playlist's own addresses
const RECOVERIES = 2;
const retry = (maxNumRetry) => ({ maxNumRetry, retryDelayMs: 500, maxRetryDelayMs: 2000 });
const policy = (maxLoadTimeMs, retries, silences = 1) => ({
  default: {
    maxTimeToFirstByteMs: FIRST_BYTE_MS,
    maxLoadTimeMs,
    timeoutRetry: { maxNumRetry: silences, retryDelayMs: 0, maxRetryDelayMs: 0 },
    errorRetry: retry(retries),
  },
});

/** How hls.js plays here: quick to leave a server that does not answer, CMCD in the query. */
export function hlsConfig(assetId, newest = (url) => url, isLastEdge = true) {
  return {
    backBufferLength: 30,
    capLevelToPlayerSize: true,
    cmcd: { contentId: assetId, useHeaders: false, version: 2 }, // hls.js adds its own session id
    enableWorker: false, // fragmented MP4 needs no transmuxing, so a worker would only cost its start
    contentSteeringController: CalmSteering,
    errorController: PathwayErrors,
    fLoader: MediaLoader,
    fragLoadPolicy: policy(20000, 1),
    inFlight: new Set(), // its loaders
    loader: WaryLoader,
    manifestLoadPolicy: policy(10000, 0, isLastEdge ? 1 : 0),
    playlistLoadPolicy: policy(10000, 1),
    steeringManifestLoadPolicy: policy(4000, 0),
    xhrSetup: (xhr, url) => {
      if (newest(url) !== url) xhr.open("GET", newest(url), true);
    },
  };
}

const SENTENCES = {
  network: "The video does not arrive. Check your connection; your place in the video is kept.",
  media: "This browser stumbled over the video. Trying again often helps.",
  unsupported: "This browser cannot play this video. A recent Chrome, Firefox or Safari can.",
};

/** Plays one asset. Events: `playable` (first metadata), `missing` (no playlist yet), `renditions`. */
export class Player extends EventTarget {
  #assetId;
  #path;
  #isShut = false; // what opens its path is being asked for
  #isStopped = false; // loading has, meanwhile
  #edges;
  #edgeNo = 0;
  #recoveries = 0;
  #abort = new AbortController();
  #hls = null;
  #handOver = null;
  #controls;
  #autoplay;

  /** `edges`: base URLs in the order to try. `root`: an empty element that becomes the player. */
  constructor(root, { assetId, edges, poster, title, autoplay = false, isComplete = () => false }) {
    super();
    this.#assetId = assetId;
    this.#path = new StoryPath(assetId);
    this.#edges = edges;
    this.#autoplay = autoplay && !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.isComplete = isComplete;
    this.video = el("video", { playsinline: true, preload: "auto", poster, tabindex: "-1" });
    this.video.disableRemotePlayback = true; // ManagedMediaSource asks for it
    this.#controls = new Controls(root, this.video, { title, quality: this, retry: () => this.retry() });
    this.#controls.newest = (url) => this.#path.newest(url);
    this.video.addEventListener("error", () => this.#onVideoError());
    this.video.addEventListener("loadedmetadata", () => this.#onMetadata(root));
  }

  get url() {
    return `${this.#edges[this.#edgeNo]}${this.#path.base}/main.m3u8`;
  }

  /** What plays, and the pathway that it plays from; `null` where the browser plays by itself. */
  get engine() {
    return this.#hls;
  }

  /** Which of several providers it plays from, while somebody steers; "" for where it began. */
  get pathway() {
    const hls = this.#hls;
    const id = hls?.pathwayPriority?.length > 1 ? hls.levels[hls.loadLevel]?.pathwayId : "";
    return id === HERE ? "" : (id ?? "");
  }

  /** What opens the story's path; whoever hears of it from the API tells it. */
  get path() {
    return this.#path;
  }

  start(position = 0) {
    this.#controls.clearError();
    if (Hls.isSupported()) this.#startHls(position);
    else if (this.video.canPlayType("application/vnd.apple.mpegurl")) this.#startNative(position);
    else this.#controls.showError(SENTENCES.unsupported, false);
  }

  /** The picture before the first frame; of sound alone, the picture throughout. */
  set poster(url) {
    if (!this.video.poster) this.video.poster = url;
  }

  /** Says that it does not arrive, and offers to try again. */
  giveUp() {
    this.#controls.showError(SENTENCES.network, true);
  }

  destroy() {
    this.#abort.abort();
    this.#path.close();
    this.#hls?.destroy();
    this.#controls.destroy();
  }

  retry() {
    this.#edgeNo = 0;
    this.#recoveries = 0;
    this.start(this.video.currentTime);
  }

  /** The choices of the quality menu: [{number, label, bitsPerSecond}], best first. */
  get qualities() {
    const levels = this.#hls?.levels ?? [];
    return levels
      .map((level, number) => ({ number, label: qualityLabel(level), bitsPerSecond: level.bitrate }))
      .reverse();
  }

  /** The number of the chosen quality, -1 for automatic, and the label of what is on screen. */
  get quality() {
    const hls = this.#hls;
    const shown = hls?.levels[hls.currentLevel];
    return { chosen: hls?.autoLevelEnabled ? -1 : hls?.loadLevel, shown: shown && qualityLabel(shown) };
  }

  chooseQuality(number) {
    if (this.#hls) this.#hls.nextLevel = number;
  }

  #startHls(position) {
    this.#hls?.destroy();
    const hls = new Hls({
      ...hlsConfig(this.#assetId, (url) => this.#path.newest(url), this.#edgeNo + 1 === this.#edges.length),
      startPosition: position,
    });
    this.#hls = hls;
    this.#handOver = new HandOver(hls);
    hls.on(Hls.Events.ERROR, (_, data) => this.#onHlsError(data));
    hls.once(Hls.Events.MANIFEST_PARSED, () => this.#onManifest());
    for (const event of [Hls.Events.LEVELS_UPDATED, Hls.Events.LEVEL_SWITCHED, Hls.Events.MANIFEST_PARSED]) {
      hls.on(event, () => this.#announceRenditions());
    }
    hls.loadSource(this.url);
    hls.attachMedia(this.video);
  }

  #startNative(position) {
    this.video.src = this.url;
    this.video.addEventListener("loadedmetadata", () => (this.video.currentTime = position), { once: true });
    this.#onManifest();
  }

  #onManifest() {
    this.#abort.abort(); // what an earlier start still polls
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.#controls.askThumbnails = () => {
      const track = this.url.replace("main.m3u8", "thumbnails.vtt");
      return loadThumbnails(track, signal);
    };
    if (this.#autoplay) this.video.play().catch(() => undefined); // not allowed: the big button stays
    this.#autoplay = false;
    if (this.#hls) {
      pollPlaylist(() => this.url, {
        signal,
        isComplete: this.isComplete,
        onChange: (text, url) => this.#handOver.offer(text, url),
      });
    }
  }

  #onMetadata(root) {
    const isSoundOnly = this.video.videoWidth === 0;
    root.dataset.soundOnly = isSoundOnly;
    root.style.backgroundImage = isSoundOnly && this.video.poster ? `url("${this.video.poster}")` : "";
    this.dispatchEvent(new Event("playable"));
  }

  #announceRenditions() {
    this.#controls.refreshQuality();
    this.dispatchEvent(new Event("renditions"));
  }

  #onHlsError({ fatal, type, response, networkDetails }) {
    if (type === Hls.ErrorTypes.NETWORK_ERROR && response?.code === 403) {
      this.#reopen(fatal, networkDetails?.responseURL ?? "");
      return;
    }
    if (!fatal) return;
    if (type === Hls.ErrorTypes.MEDIA_ERROR && this.#recoveries < RECOVERIES) {
      this.#recoveries += 1;
      this.#hls.recoverMediaError();
    } else if (type === Hls.ErrorTypes.NETWORK_ERROR && response?.code === 404 && !this.#hls.levels.length) {
      this.dispatchEvent(new Event("missing"));
    } else if (type === Hls.ErrorTypes.NETWORK_ERROR && this.#edgeNo + 1 < this.#edges.length) {
      this.#edgeNo += 1; // another region's edge has the same stories
      this.#startAgain();
    } else {
      const isNetwork = type === Hls.ErrorTypes.NETWORK_ERROR;
      this.#controls.showError(isNetwork ? SENTENCES.network : SENTENCES.media, true);
    }
  }

  #startAgain() {
    const wasPlaying = !this.video.paused;
    this.start(this.video.currentTime);
    if (wasPlaying) this.video.play().catch(() => undefined);
  }

  /** The path needs a token, or another one: asks for it, and goes on with what is buffered. */
  async #reopen(isFatal, refused) {
    this.#isStopped ||= isFatal;
    if (this.#isShut) return;
    this.#isShut = true;
    const hls = this.#hls;
    const isOld = this.#path.newest(refused) !== refused; // another one came meanwhile
    // Even then not at once: hls.js stops loading after it has told of a fatal error.
    const opens = await (isOld || this.#path.renew().catch(() => false));
    this.#isShut = false;
    const wasStopped = this.#isStopped;
    this.#isStopped = false;
    if (hls !== this.#hls) return;
    if (opens && hls.levels.length) {
      hls.stopLoad(); // of sound and picture, one may have given up and one not
      hls.startLoad(this.video.currentTime);
    } else if (opens) {
      this.#startAgain();
    } else {
      this.#onHlsError({ fatal: wasStopped, type: Hls.ErrorTypes.NETWORK_ERROR });
    }
  }

  async #onVideoError() {
    if (this.#hls) return; // hls.js reports it, with more detail
    if (this.#path.base.startsWith("/~") && (await this.#path.renew().catch(() => false))) {
      this.#startAgain(); // its token had expired
      return;
    }
    const { code } = this.video.error;
    if (code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED) this.dispatchEvent(new Event("missing"));
    else this.#controls.showError(SENTENCES.network, true);
  }
}

function qualityLabel({ width, height, bitrate }) {
  const lines = Math.min(width, height) || 0; // a portrait 720 × 1280 is what people call 720p
  return lines ? `${lines}p` : `${Math.round(bitrate / 1000)} kbit/s`;
}
