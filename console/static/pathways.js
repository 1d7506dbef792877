// Leaves a pathway that fails (HLS Content Steering) while there is something in the buffer.
//
// hls.js tries the other renditions of a pathway first, each as patiently as the one before, and
// appends whatever arrives: on a host that is silent the buffer is empty before the last of them,
// and bytes that are no media end the playback of all that is buffered.

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
const BOXES = new Set(["emsg", "free", "ftyp", "mdat", "moof", "moov", "prft", "sidx", "skip", "styp", "uuid"]);

/** Whether another pathway may work better: what one lacks, all lack. */
function isOfPathway({ details, response }) {
  const status = response?.code ?? 0;
  return NETWORK.has(details) && status !== 403 && status !== 404;
}

/** hls.js's own judgement of errors, but where there are pathways the whole one is left. */
export class PathwayErrors extends Hls.DefaultConfig.errorController {
  onError(event, data) {
    super.onError(event, data);
    const action = data.errorAction;
    if (!action || !isOfPathway(data) || !(this.hls.pathwayPriority?.length > 1)) return;
    const isSilent = action.action === RETRY && data.details.endsWith("TimeOut"); // once is enough
    if (action.action === PENALISE || isSilent) {
      action.action = PENALISE;
      action.flags |= WHOLE_PATHWAY;
    }
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

/** Loads segments, and calls what is no media an error of whoever sent it. */
export class MediaLoader extends Hls.DefaultConfig.loader {
  load(context, config, callbacks) {
    const onSuccess = (response, stats, asked, details) => {
      if (context.frag?.encrypted || isMedia(response.data)) callbacks.onSuccess(response, stats, asked, details);
      else callbacks.onError({ code: response.code, text: "not media" }, asked, details, stats);
    };
    super.load(context, config, { ...callbacks, onSuccess });
  }
}
