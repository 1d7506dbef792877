// The watch page: plays at once when there is something to play, else says how far it is.

import { card } from "./cards.js";
import { age, spokenTime } from "./dom.js";
import { Player } from "./player.js";
import { edgesFor, fromEdges, region, regionTitle } from "./stack.js";
import { askForStory } from "./story_path.js";
import { isFinal, isPlayable, sentenceFor } from "./story_state.js";
import { together } from "./together.js";

const POLL_MS = 1500;
const MORE = 6;
const assetId = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const title = document.getElementById("title");
const facts = document.getElementById("facts");
const growing = document.getElementById("growing");
const stage = document.getElementById("player");

let story = null; // what the origin last said
let failures = 0;
let polling = null; // the timer of the next question
let waiting = false; // there was no playlist: the story is not ready, or not there

const player = new Player(stage, {
  assetId,
  edges: edgesFor(),
  autoplay: true,
  isComplete: () => isFinal(story),
});
self.amaroPlayer = player; // for people who look under the bonnet, and for the browser tests

function describe() {
  if (story?.poster) player.poster = edgesFor()[0] + story.poster;
  title.textContent = story?.title || (story ? "Untitled story" : "A story");
  document.title = `${title.textContent} · Amaro Than`;
  const duration = player.video.duration;
  facts.textContent = [
    story?.region && `From the ${regionTitle(story.region)}`,
    story?.first_playable && age(story.first_playable),
    Number.isFinite(duration) && spokenTime(Math.round(duration)),
    player.pathway && `plays from ${player.pathway}`,
  ]
    .filter(Boolean)
    .join(" · ");
  growing.textContent = sentenceFor(story);
  growing.hidden = !growing.textContent;
}

/** Asks for the story's state until nothing can change any more. */
async function follow() {
  try {
    story = await askForStory(assetId);
    failures = 0;
    player.path.take(story);
    if (story === null && waiting) return missing();
  } catch {
    failures += 1; // the video may play all the same: the edges keep it
    if (!player.path.mayOpen) player.giveUp();
  }
  describe();
  if (waiting && isPlayable(story)) player.start();
  if (isFinal(story) && !(waiting && isPlayable(story))) return undefined;
  clearTimeout(polling);
  polling = setTimeout(follow, POLL_MS * Math.min(8, 1 + failures));
  return polling;
}

function missing() {
  title.textContent = "This story is not here";
  growing.textContent = "It may have been taken away, or the address is not complete.";
  growing.hidden = false;
  stage.dataset.state = "missing";
}

async function showMore() {
  const found = await fromEdges(`/feed/${encodeURIComponent(region())}?limit=${MORE + 1}`);
  const others = (found?.data.stories ?? []).filter((other) => other.asset_id !== assetId).slice(0, MORE);
  document.getElementById("cards").append(...others.map((other) => card(other, found.edge, { region: region() })));
  document.getElementById("more").hidden = others.length === 0;
}

player.addEventListener("playable", describe);
/** There is nothing to play yet, or nothing that opens it. */
function wait() {
  waiting = true;
  stage.dataset.state = "waiting";
  describe();
}

player.addEventListener("missing", wait);
player.addEventListener("renditions", () => {
  waiting = false;
  delete stage.dataset.state;
  describe();
});
if (player.path.mayOpen) player.start();
else wait();
follow();
together(document.getElementById("together"), stage, {
  assetId,
  onWatchable: () => {
    if (waiting) follow();
  },
});
showMore().catch(() => undefined); // the story itself matters more
