// How the failover page says places, shares and states.

import { regionTitle } from "./stack.js";

const EVERYWHERE = "*"; // the region of what is decided for all of them: what DNS answers
export const WORDS = { unknown: "not known", up: "works", suspect: "in doubt", held: "held off", down: "down" };

export const where = (name) => (name === EVERYWHERE ? "DNS" : regionTitle(name));
export const percent = (share) => `${Math.round(share * 100)} %`;
export const unique = (values) => [...new Set(values)];

/** "edge-south 75 %, edge-north 25 %" for a choice. */
export function carrying(choice) {
  const parts = choice.shares.filter(([, share]) => share > 0);
  return parts.map(([name, share]) => `${name} ${percent(share)}`).join(", ");
}

/** Lines of what is the same in several places: "North, South: edge-south 100 %". */
export function together(rows) {
  const places = new Map();
  for (const [text, place] of rows) places.set(text, [...(places.get(text) ?? []), where(place)]);
  return [...places].map(([text, names]) => [text, unique(names).join(", ")]);
}

/** What is known: of who leads; else the newest decision that a member acts on, without states. */
export function known(said) {
  if (said.led) return { targets: said.led.targets, choices: said.led.decision?.choices ?? [] };
  const decisions = said.members.map((each) => each.status?.decision).filter(Boolean);
  const [newest] = decisions.sort((one, other) => other.version[0] - one.version[0] || other.version[1] - one.version[1]);
  const choices = newest?.choices ?? [];
  const targets = choices.flatMap(({ service, region, order }) => order.map((target) => ({ service, region, target, state: "unknown", why: "" })));
  return { targets, choices };
}

/** The regions, and DNS, that a service is decided for; "": any service. */
export function regionsOf(service, targets) {
  return unique(targets.filter((each) => !service || each.service === service).map((each) => each.region));
}
