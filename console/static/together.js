// Who watches with you, what they feel about it, and what they say.

import { el } from "./dom.js";
import { Lines } from "./lines.js";
import { signals } from "./signals.js";

const REACTIONS = [["❤", "Love"], ["👏", "Bravo"], ["🔥", "Fire"], ["😂", "Funny"]];
const KNOWN = new Set(REACTIONS.map(([value]) => value));
const FLYING_MS = 2400;
const FLYING_MAX = 12; // a crowd's applause would hide the picture

/** Shows a story's company in `place`; `onWatchable` is called when the origin says so. */
export function together(place, stage, { assetId, onWatchable }) {
  const topic = `story:${assetId}`;
  const here = el("p", { class: "here" });
  const buttons = REACTIONS.map(([value, name]) =>
    el("button", { type: "button", "aria-label": name, title: name, onclick: () => signals.say(topic, "reaction", value) }, value),
  );
  const lines = new Lines({ say: (kind, value) => signals.say(topic, kind, value), isMine: signals.isMine });
  place.append(here, el("div", { class: "reactions", role: "group", "aria-label": "React" }, ...buttons), lines.element);

  function fly(value) {
    if (!KNOWN.has(value) || stage.querySelectorAll(".flying").length >= FLYING_MAX) return;
    const flying = el("span", { class: "flying", "aria-hidden": "true" }, value);
    flying.classList.add(`lane-${Math.floor(Math.random() * 4)}`);
    stage.append(flying);
    setTimeout(() => flying.remove(), FLYING_MS);
  }

  function enable(isOn) {
    for (const button of buttons) button.disabled = !isOn;
  }

  const hears = {
    onLost: () => {
      enable(false);
      lines.connected(0);
      here.textContent = "Connecting again…";
    },
    onPresence: (count) => {
      place.hidden = false;
      enable(true);
      lines.connected(Math.max(1, count));
      here.textContent = count > 1 ? `${count} people are watching` : "You are the first to watch right now";
    },
    onSignal: (signal) => {
      if (signal.kind === "reaction") fly(signal.value);
      else if (signal.kind === "watchable") onWatchable();
      else lines.hear(signal);
    },
    onGap: onWatchable,
  };
  signals.join(topic, hears, "0-0"); // it may have become watchable since the page asked
}
