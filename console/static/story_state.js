// What an asset's state means to a person.

const FINAL = new Set(["complete", "failed", "cancelled"]);
const PLAYABLE = new Set(["playable", "complete"]);

export const isFinal = (story) => FINAL.has(story?.state);
export const isPlayable = (story) => PLAYABLE.has(story?.state);

export function percent(story) {
  const fraction = Number(story?.fraction);
  return Number.isFinite(fraction) ? Math.round(100 * Math.min(1, Math.max(0, fraction))) : 0;
}

/** "540p" of the best rendition so far; a portrait 720 × 1280 is what people call 720p. */
export function bestQuality(story) {
  const lines = (story?.renditions ?? []).map(({ width, height }) => Math.min(width, height) || 0);
  const best = Math.max(0, ...lines);
  return best ? `${best}p` : "";
}

/** One sentence for whoever waits in front of the player; empty when there is nothing to say. */
export function sentenceFor(story) {
  switch (story?.state) {
    case "uploading":
      return "This story is still on its way to us. It starts by itself as soon as it can be watched.";
    case "queued":
      return "This story has arrived and waits for its turn. It starts by itself as soon as it can be watched.";
    case "processing":
      return `This story is being prepared (${percent(story)} %). It starts by itself as soon as it can be watched.`;
    case "playable":
      return "Sharper pictures are on their way; they join while you watch.";
    case "failed":
      return story.error || "This video could not be prepared.";
    case "cancelled":
      return "This upload was cancelled.";
    default:
      return "";
  }
}
