// Hands a running hls.js over to the renditions that joined its multivariant playlist.
//
// hls.js reads that playlist once. Its own content steering swaps levels by LEVELS_UPDATED, and so
// do we: levels that were there keep their identity (and with it their loaded playlists), new ones
// join in hls.js's order. Two things are indexed by a level's number and must move with it: the
// fragments of a loaded playlist, and the keys of the fragment tracker. Nothing may be in flight
// meanwhile, or a fragment would come back under a number that now means another level.

import { Hls, Level, M3U8Parser } from "./vendor/hls.min.mjs";

const AT_REST = new Set(["IDLE", "ENDED", "STOPPED"]);
const REST_WITHIN_MS = 8000;
const LOOK_MS = 50;
const KEEP_S = 5; // of the present quality ahead of the playhead, beside the time that a fetch takes

/** What names a playlist, whichever token its URL has. */
const path = (url) => url.split(/[?#]/, 1)[0].replace(/\/~[^/]+/, "");

function playable({ videoCodec, audioCodec, attrs }) {
  if (!videoCodec && !attrs.CODECS) return true;
  const codecs = [videoCodec, audioCodec].filter(Boolean).join(",");
  const Source = self.ManagedMediaSource ?? self.MediaSource;
  return !codecs || Source.isTypeSupported(`video/mp4;codecs="${codecs}"`);
}

/** The order in which hls.js keeps levels: by height, frame rate and average bitrate. */
function ascending(a, b) {
  return a.height - b.height || a.frameRate - b.frameRate || a.averageBitrate - b.averageBitrate;
}

/** The levels after a new multivariant playlist: known ones as they are, joined ones added. */
export function mergeLevels(known, text, url) {
  const parsed = M3U8Parser.parseMasterPlaylist(text, url);
  if (parsed.playlistParsingError) return known;
  const paths = new Set(known.map((level) => path(level.uri)));
  const groups = new Set(known.flatMap((level) => level.audioGroups ?? [undefined]));
  const joined = parsed.levels.filter(
    // A level with another audio group would need audio that this session has not loaded.
    (level) => !paths.has(path(level.url)) && groups.has(level.attrs.AUDIO) && playable(level),
  );
  return joined.length ? [...known, ...joined.map((level) => new Level(level))].sort(ascending) : known;
}

function isAtRest(hls, playlistsInFlight) {
  const { main } = hls.inFlightFragments;
  return AT_REST.has(main.state) && playlistsInFlight.size === 0;
}

function renumber(levels, tracker) {
  levels.forEach((level, number) => {
    for (const fragment of level.details?.fragments ?? []) {
      fragment.level = number;
      if (fragment.initSegment) fragment.initSegment.level = number;
    }
  });
  const moved = Object.create(null);
  for (const entity of Object.values(tracker.fragments)) {
    const { type, level, sn } = entity.body;
    moved[`${type}_${level}_${sn}`] = entity;
  }
  tracker.fragments = moved;
}

function swap(hls, levels) {
  const before = hls.levels;
  const current = levels.indexOf(hls.loadLevelObj);
  const manual = hls.autoLevelEnabled ? -1 : levels.indexOf(before[hls.manualLevel]);
  const first = levels.indexOf(before[hls.firstLevel]);
  renumber(levels, hls.streamController.fragmentTracker);
  hls.trigger(Hls.Events.LEVELS_UPDATED, { levels });
  hls.firstLevel = Math.max(first, 0);
  hls.startLevel = current;
  if (manual >= 0) hls.loadLevel = manual;
  else if (current >= 0) hls.levelController.level = current; // hls.nextLoadLevel would force it
  // Capping saw the event before the levels changed, and would flush the buffer on its own terms.
  hls.autoLevelCapping = -1;
  hls.capLevelController?.stopCapping();
  hls.capLevelController?.startCapping();
}

/** Seconds from the playhead within which the present quality stays, so that nothing stalls. */
function leadSeconds(hls, better) {
  const fragment = better.details?.averagetargetduration ?? hls.latestLevelDetails?.averagetargetduration ?? 4;
  return KEEP_S + (2 * (better.maxBitrate * fragment)) / hls.bandwidthEstimate;
}

/** Drops what is buffered of a lesser quality: well ahead of the playhead, and behind it. */
function replaceBuffer(hls) {
  const details = hls.latestLevelDetails;
  const forward = hls.mainForwardBufferInfo;
  const [present, better] = [hls.levels[hls.loadLevel], hls.levels[hls.nextAutoLevel]];
  if (!hls.autoLevelEnabled || !details || !forward || !present || !better) return;
  if (better === present || better.height < present.height) return;
  const { currentTime } = hls.media;
  const type = hls.audioTracks.length ? "video" : null;
  const drop = (startOffset, endOffset) =>
    hls.trigger(Hls.Events.BUFFER_FLUSHING, { startOffset, endOffset, type });
  const from = currentTime + leadSeconds(hls, better);
  const next = details.fragments.find((fragment) => fragment.start >= from);
  // A little into the segment: the new one overlaps it, so that no gap of a frame can open.
  if (next && forward.end > next.start + 1) drop(next.start + Math.min(0.5, next.duration / 8), Infinity);
  const playing = details.fragments.findLast((fragment) => fragment.start <= currentTime);
  if (playing && playing.start > 1) drop(0, playing.start - 1); // who goes back sees it sharper
}

/** Follows one hls.js instance; `offer(text, url)` takes each new multivariant playlist. */
export class HandOver {
  #hls;
  #offered = null;
  #waiting = null;
  #playlists = new Set();

  constructor(hls) {
    this.#hls = hls;
    hls.on(Hls.Events.LEVEL_LOADING, (_, { url }) => this.#playlists.add(url));
    hls.on(Hls.Events.LEVEL_LOADED, () => this.#playlists.clear());
    hls.on(Hls.Events.ERROR, (_, { details }) => {
      if (details.startsWith("level")) this.#playlists.clear();
    });
    hls.on(Hls.Events.DESTROYING, () => this.#rest());
  }

  /** Takes a playlist's text; the change happens between two segments, within a few seconds. */
  offer(text, url) {
    const { levels } = this.#hls;
    if (!levels.length || mergeLevels(levels, text, url) === levels) return false;
    this.#offered = { text, url };
    if (this.#waiting === null) {
      this.#hls.pauseBuffering(); // no further segment begins; the one in flight ends
      const since = performance.now();
      this.#waiting = setInterval(() => this.#attempt(since), LOOK_MS);
      this.#attempt(since);
    }
    return true;
  }

  #attempt(since) {
    const hls = this.#hls;
    if (isAtRest(hls, this.#playlists)) {
      const { text, url } = this.#offered;
      this.#rest();
      swap(hls, mergeLevels(hls.levels, text, url));
      hls.resumeBuffering();
      replaceBuffer(hls);
    } else if (performance.now() - since > REST_WITHIN_MS) {
      this.#rest(); // the network is slow: the next poll offers it again
      hls.resumeBuffering();
    }
  }

  #rest() {
    clearInterval(this.#waiting);
    this.#waiting = null;
    this.#offered = null;
  }
}
