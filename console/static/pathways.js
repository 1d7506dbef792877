// Moves between pathways (HLS Content Steering) while there is something in the buffer.
//
// Left alone, hls.js tries the other renditions of a pathway that fails first, each as patiently as
// the one before: on a host that is silent the buffer is empty before the last of them. And when it is
// told to go elsewhere while its first segment loads, it waits for that segment for ever.

import { Hls } from "./vendor/hls.min.mjs";

const PENALISE = 2; // as hls.js numbers what to do about an error,
const RETRY = 5;
const WHOLE_PATHWAY = 1; // and to what
const NETWORK = new Set([
  "audioTrackLoadError",
  "audioTrackLoadTimeOut",
  "fragLoadError",
  "fragLoadTimeOut",
  "fragParsingError",
  "levelLoadError",
  "levelLoadTimeOut",
  "levelParsingError",
]);
const AT_REST = new Set(["IDLE", "ENDED", "STOPPED"]);
const LOOK_MS = 50;
const ENOUGH_S = 6; // to find out that the next host is silent, and to begin at another
const PATIENCE_MS = 15000; // who plays live may never have as much

/** Whether another pathway may work better: what one lacks, all lack. */
function isOfPathway({ details, response }) {
  const status = response?.code ?? 0;
  return NETWORK.has(details) && status !== 403 && status !== 404;
}

/** Whether what failed came from a host that was left meanwhile. */
function isElsewhere(hls, { frag, context, url }) {
  const asked = frag?.url ?? context?.url ?? url;
  const [level] = hls.levels;
  return Boolean(asked && level) && new URL(asked).hostname !== new URL(level.uri).hostname;
}

function leavesPathway({ errorAction }) {
  return errorAction?.action === PENALISE && Boolean(errorAction.flags & WHOLE_PATHWAY);
}

/** hls.js's own judgement of errors, but where there are pathways the whole one is left. */
export class PathwayErrors extends Hls.DefaultConfig.errorController {
  onError(event, data) {
    super.onError(event, data);
    const action = data.errorAction;
    if (!action || !isOfPathway(data) || !(this.hls.pathwayPriority?.length > 1)) return;
    if (isElsewhere(this.hls, data)) {
      // Sound and picture fail together: what was left for one is no reason to leave the next.
      Object.assign(action, { action: PENALISE, flags: WHOLE_PATHWAY, resolved: true });
      return;
    }
    const isSilent = action.action === RETRY && data.details.endsWith("TimeOut"); // once is enough
    if (action.action === PENALISE || isSilent) {
      action.action = PENALISE;
      action.flags |= WHOLE_PATHWAY;
    }
  }
}

/** hls.js's own steering, but whoever is well goes elsewhere between two segments, with enough buffered. */
export class CalmSteering extends Hls.DefaultConfig.contentSteeringController {
  #isLeaving = false; // what is in flight has failed: nothing to wait for
  #waiting = null;
  #isPaused = false;
  #toldMs = null; // when it was told first to go where it has not gone yet

  onError(event, data) {
    if (data.errorAction?.resolved) return;
    const [left] = this.hls.levels;
    const hostname = left && new URL(left.uri).hostname;
    if (left && leavesPathway(data)) this.#penalise(hostname);
    this.#isLeaving = true;
    super.onError(event, data);
    this.#isLeaving = false;
    if (!data.errorAction?.resolved || !left) return;
    for (const each of this.hls.config.inFlight) each.hurry(hostname);
  }

  /** A host that fails does so by each of its names: `here` may be one of the others. */
  #penalise(hostname) {
    for (const { pathwayId, uri } of this.levels ?? []) {
      if (new URL(uri).hostname === hostname) this.penalizedPathways[pathwayId] ??= performance.now();
    }
  }

  updatePathwayPriority(priority) {
    this.#rest();
    const next = priority.find((id) => !(id in this.penalizedPathways));
    this.#toldMs ??= performance.now();
    if (this.#isLeaving || next === this.pathwayId || (this.#isAtRest && this.#hasEnough)) {
      this.#toldMs = null;
      super.updatePathwayPriority(priority);
      return;
    }
    this._pathwayPriority = priority; // where to go if this segment fails
    this.#waiting = setInterval(() => this.#look(priority), LOOK_MS);
    this.#look(priority);
  }

  #look(priority) {
    if (!this.#hasEnough) {
      this.#resume();
    } else if (this.#isAtRest) {
      this.updatePathwayPriority(priority);
    } else if (!this.#isPaused) {
      this.#isPaused = true;
      this.hls.pauseBuffering(); // no further segment begins
    }
  }

  onManifestLoading() {
    this.#rest();
    this.#toldMs = null;
    super.onManifestLoading();
  }

  destroy() {
    this.#rest();
    super.destroy();
  }

  get #isAtRest() {
    return AT_REST.has(this.hls.inFlightFragments.main.state);
  }

  get #hasEnough() {
    const isLong = this.#toldMs !== null && performance.now() - this.#toldMs > PATIENCE_MS;
    return isLong || (this.hls.mainForwardBufferInfo?.len ?? 0) >= ENOUGH_S;
  }

  #rest() {
    clearInterval(this.#waiting);
    this.#waiting = null;
    this.#resume();
  }

  #resume() {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.hls.resumeBuffering();
  }
}
