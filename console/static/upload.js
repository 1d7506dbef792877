// The upload page: choose, send with tus (resumable), then follow the story until it is at its best.

import { el, megabytes } from "./dom.js";
import { Player } from "./player.js";
import { edgesFor, origin, region, regions, regionTitle } from "./stack.js";
import { bestQuality, isFinal, isPlayable, percent } from "./story_state.js";
import { sentenceForUploadError } from "./upload_errors.js";

const POLL_MS = 1000;
const ANNOUNCE_STEP = 10; // percent
const RETRY_DELAYS_MS = [0, 1000, 2000, 4000, 8000, 15000];
const $ = (id) => document.getElementById(id);

let file = null;
let upload = null; // tus.Upload
let assetId = null;
let player = null;
let story = null;
let announced = "";
let polls = 0;

// --- choosing ---

function choose(picked) {
  if (!picked) return;
  file = picked;
  $("picked").hidden = false;
  $("hint").hidden = true;
  $("file-label").textContent = "Choose another";
  $("picked-name").textContent = file.name;
  $("picked-size").textContent = megabytes(file.size);
  const preview = $("picked-video");
  URL.revokeObjectURL(preview.src.split("#")[0]);
  preview.src = `${URL.createObjectURL(file)}#t=0.5`; // phones show no picture before that
  if (!$("story-title").value) $("story-title").value = titleFrom(file.name);
  $("send").disabled = file.size === 0;
  problem(file.size === 0 ? "This file is empty. Please choose another one." : "");
}

function titleFrom(name) {
  const words = name.replace(/\.[^.]+$/, "").replaceAll(/[-_.]+/g, " ").trim();
  return /^(img|vid|mov|pxl|dsc|video)?\s*\d/i.test(words) ? "" : words.slice(0, 120);
}

function problem(sentence) {
  $("problem").textContent = sentence;
  $("problem").hidden = !sentence;
}

// --- sending ---

function send() {
  const options = {
    endpoint: `${origin}/uploads/`,
    retryDelays: RETRY_DELAYS_MS,
    removeFingerprintOnSuccess: true,
    metadata: {
      filename: file.name,
      filetype: file.type || "application/octet-stream",
      title: $("story-title").value.trim() || titleFrom(file.name) || "Untitled story",
      region: $("region").value,
    },
    onAfterResponse: (_, response) => {
      assetId = response.getHeader("Amaro-Asset-Id") ?? assetId;
    },
    onProgress: (sent, total) => showUpload(sent, total),
    onError: (error) => fail(sentenceForUploadError(error), true),
    onSuccess: () => {
      $("pause").hidden = true;
      setStep("processing");
      remember(assetId);
      follow();
    },
  };
  upload = new tus.Upload(file, options);
  upload.findPreviousUploads().then((previous) => {
    if (previous.length) upload.resumeFromPreviousUpload(previous[0]);
    upload.start();
  });
  showProgress(options.metadata.title);
  setStep("uploading");
}

function showProgress(name) {
  $("form").hidden = true;
  $("progress").hidden = false;
  $("progress-title").textContent = name;
  $("progress-title").focus({ preventScroll: true });
  for (const id of ["failure", "retry", "again", "watch-link", "preview"]) $(id).hidden = true;
  for (const id of ["pause", "cancel"]) $(id).hidden = false;
}

function showUpload(sent, total) {
  const done = total ? Math.floor((100 * sent) / total) : 0;
  $("uploading-bar").value = done;
  $("uploading-detail").textContent = `${megabytes(sent)} of ${megabytes(total)}`;
  announce(`Uploaded ${done - (done % ANNOUNCE_STEP)} percent`);
}

function togglePause() {
  const pausing = $("pause").textContent === "Pause";
  if (pausing) upload.abort();
  else upload.start();
  $("pause").textContent = pausing ? "Go on" : "Pause";
  announce(pausing ? "Upload paused" : "Upload goes on");
}

async function cancel() {
  const url = upload?.url;
  story = { state: "cancelled" };
  await upload?.abort().catch(() => undefined);
  if (url) await tus.Upload.terminate(url, { retryDelays: [0, 1000] }).catch(() => undefined);
  await forgetUnfinished();
  remember(null);
  reset();
  announce("Upload cancelled");
}

function reset() {
  player?.destroy();
  player = null;
  upload = null;
  story = null;
  assetId = null;
  history.replaceState(null, "", location.pathname);
  $("progress").hidden = true;
  $("form").hidden = false;
  $("pause").textContent = "Pause";
  $("file").focus();
}

// --- following ---

async function follow() {
  const mine = assetId;
  try {
    const response = await fetch(`${origin}/api/assets/${encodeURIComponent(mine)}`);
    if (mine !== assetId) return;
    if (response.status === 404) return fail("We do not know this upload any more. Please send it again.", false);
    story = await response.json();
    polls = 0;
    showStory();
  } catch {
    polls += 1;
    if (mine !== assetId) return;
    $("processing-detail").textContent = "No answer at the moment; your video is safe with us. Asking again…";
  }
  if (!isFinal(story)) setTimeout(follow, POLL_MS * Math.min(8, 1 + polls));
}

const STAGES = {
  uploading: "Putting the pieces together",
  queued: "Waiting for a free machine",
};

function showStory() {
  $("progress-title").textContent = story.title || "Your story";
  $("uploading-bar").value = 100;
  $("processing-bar").value = percent(story);
  const stage = story.stage ? `${capitalised(story.stage)}, ${percent(story)} %` : `${percent(story)} %`;
  $("processing-detail").textContent = STAGES[story.state] ?? stage;
  if (story.state === "failed") return fail(story.error || "This video could not be prepared.", false);
  if (story.state === "cancelled") return fail("This upload was cancelled.", false);
  setStep({ complete: "complete", playable: "playable" }[story.state] ?? "processing");
  if (!isPlayable(story)) return announce(`Preparing, ${percent(story) - (percent(story) % ANNOUNCE_STEP)} percent`);
  $("cancel").hidden = true;
  showPlayable();
  if (story.state === "complete") {
    $("processing-detail").textContent = "Done";
    $("processing-bar").value = 100;
    $("complete-detail").textContent = `Up to ${bestQuality(story)}. Thank you for sharing.`;
    $("again").hidden = false;
    return announce("Best quality ready");
  }
  return announce("Watchable now. Better quality is on its way.");
}

function capitalised(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function showPlayable() {
  $("playable-detail").textContent = story.state === "complete" ? "" : `In ${bestQuality(story)} so far`;
  const link = $("watch-link");
  link.href = `/watch/${assetId}?region=${encodeURIComponent(story.region || region())}`;
  link.hidden = false;
  if (player) return;
  $("preview").hidden = false;
  player = new Player($("preview"), {
    assetId,
    edges: edgesFor(story.region),
    poster: story.poster && edgesFor(story.region)[0] + story.poster,
    title: story.title,
    isComplete: () => isFinal(story),
  });
  self.amaroPlayer = player;
  player.path.take(story);
  player.start();
}

const ORDER = ["uploading", "processing", "playable", "complete"];

function setStep(name) {
  const now = ORDER.indexOf(name);
  for (const item of $("steps").children) {
    const at = ORDER.indexOf(item.dataset.step);
    const finished = at < now || name === "complete" || (name === "playable" && at === now);
    item.dataset.state = finished && item.dataset.step !== "processing" ? "done" : at <= now ? "now" : "later";
    if (item.dataset.step === "processing" && name === "complete") item.dataset.state = "done";
    if (item.dataset.state === "now") item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  }
}

function fail(sentence, canRetry) {
  $("failure").textContent = sentence;
  $("failure").hidden = false;
  $("retry").hidden = !canRetry;
  $("pause").hidden = true;
  $("cancel").hidden = !canRetry;
  $("again").hidden = canRetry;
  for (const item of $("steps").children) {
    if (item.dataset.state === "now") item.dataset.state = "failed";
  }
}

function announce(sentence) {
  if (sentence === announced) return;
  announced = sentence;
  $("announce").textContent = sentence;
}

// --- after a reload ---

function remember(id) {
  history.replaceState(null, "", id ? `#${id}` : location.pathname);
}

async function unfinishedUploads() {
  const all = await tus.defaultOptions.urlStorage.findAllUploads().catch(() => []);
  return all.filter((one) => one.metadata?.filename);
}

async function forgetUnfinished() {
  const { urlStorage } = tus.defaultOptions;
  for (const { urlStorageKey } of await unfinishedUploads()) await urlStorage.removeUpload(urlStorageKey);
}

async function offerUnfinished() {
  const [last] = await unfinishedUploads();
  if (!last) return;
  const { filename, title, region: place } = last.metadata;
  const forget = el("button", { type: "button", class: "link" }, "Forget it");
  forget.addEventListener("click", () => {
    $("unfinished").hidden = true;
    forgetUnfinished();
  });
  $("unfinished").replaceChildren(
    el("p", {}, "An upload is not finished. Choose ", el("strong", {}, filename), " again and it goes on where it stopped. ", forget),
  );
  $("unfinished").hidden = false;
  if (title) $("story-title").value = title;
  if (regions.includes(place)) $("region").value = place;
}

// --- wiring ---

for (const name of regions) {
  $("region").append(el("option", { value: name, selected: name === region() }, regionTitle(name)));
}
$("file").addEventListener("change", (event) => choose(event.target.files[0]));
$("camera").addEventListener("change", (event) => choose(event.target.files[0]));
$("camera-label").hidden = !matchMedia("(pointer: coarse)").matches;
for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    $("drop").dataset.over = name === "dragenter" || name === "dragover";
    if (name === "drop" && !$("form").hidden) choose(event.dataTransfer.files[0]);
  });
}
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (file) send();
});
$("pause").addEventListener("click", togglePause);
$("cancel").addEventListener("click", cancel);
$("retry").addEventListener("click", () => send());
$("again").addEventListener("click", () => {
  remember(null);
  reset();
});

const followed = /^#([a-z2-7]{16})$/.exec(location.hash)?.[1];
if (followed) {
  assetId = followed;
  showProgress("Your story");
  $("pause").hidden = true;
  $("cancel").hidden = true; // the secret upload address is gone with the page that had it
  setStep("processing");
  follow();
} else {
  offerUnfinished();
}
