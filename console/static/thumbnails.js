// The pictures above the seek bar: cues of a WebVTT file that point into sprites.

const TIME = /(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)/;

function seconds(text) {
  const [, h = 0, m, s] = TIME.exec(text);
  return Number(h) * 3600 + Number(m) * 60 + Number(s);
}

/** [{start, end, url, x, y, w, h}] of a thumbnail track. */
export function parseThumbnails(text, base) {
  const cues = [];
  for (const block of text.replaceAll("\r", "").split("\n\n")) {
    const lines = block.split("\n");
    const at = lines.findIndex((line) => line.includes("-->"));
    const target = at >= 0 && lines[at + 1];
    if (!target) continue;
    const [start, end] = lines[at].split("-->").map(seconds);
    const url = new URL(target.trim(), base);
    const [x, y, w, h] = (/xywh=([\d,]+)/.exec(url.hash)?.[1] ?? "0,0,0,0").split(",").map(Number);
    url.hash = "";
    if (w && h) cues.push({ start, end, url: url.href, x, y, w, h });
  }
  return cues;
}

export function cueAt(cues, time) {
  return cues.find((cue) => time >= cue.start && time < cue.end) ?? cues.at(-1);
}

export async function loadThumbnails(url, signal) {
  const response = await fetch(url, { signal });
  return response.ok ? parseThumbnails(await response.text(), url) : [];
}
