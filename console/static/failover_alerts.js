// What is out of the ordinary: who is silent, what people have ordered, what fails and is used even so.

import { percent, regionsOf, together, unique, where } from "./failover_words.js";

/** [[kind, text, service]]: `bad`, `warn`, or `hold` for what people have ordered; service "" is all of them. */
export function alertsOf(said, facts) {
  const silent = said.members.filter((each) => !each.status);
  const rows = silent.map((each) => ["warn", `${each.name} does not answer: ${each.why_not}`, null]);
  if (!said.led) {
    const why = said.members.map((each) => each.status?.controller.why_not).find(Boolean);
    rows.push(["bad", `No member leads${why ? ` (${why})` : ""}. What was decided last stays in force; Force orders without a controller.`, null]);
  }
  for (const each of said.members)
    if (each.status?.alone) rows.push(["warn", `${each.name} hears no controller and decides for its own edge.`, null]);
  if (!said.led) return rows;
  rows.push(...failing(said.led, facts), ...held(said.led, facts));
  return rows;
}

/** Where something holds, in words; "" where it holds in all places of its service. */
function inSome(places, service, targets, before, after = "") {
  const all = regionsOf(service, targets).map(where).join(", ");
  return places === all ? "" : `${before}${places}${after}`;
}

/** What carries traffic though it fails, and why. */
function failing({ kept = [] }, { choices, targets }) {
  const open = choices.filter((each) => each.fails_open);
  const rows = open.map((each) => ["bad", `Every target of ${each.service} fails in ${where(each.region)}: its traffic stays where it is.`, each.service]);
  const isSaid = ({ service, region }) => open.some((each) => each.service === service && each.region === region);
  for (const service of unique(kept.map((each) => each.service))) {
    const mine = kept.filter((each) => each.service === service && !isSaid(each));
    const lines = mine.map((each) => [`${service}/${each.target} is down, but carries ${percent(each.share)}: ${each.why}`, each.region]);
    for (const [text, places] of together(lines)) rows.push(["bad", `${inSome(places, service, targets, "In ", ": ")}${text}.`, service]);
  }
  return rows;
}

/** What people have ordered: drills, freezes, switches. */
function held({ drill, frozen, pins }, { targets }) {
  const rows = [];
  if (drill) {
    const now = drill.is_failing ? "is taken to fail just now" : "is taken to work just now";
    const left = `${Math.ceil(drill.left_s)} s are left; amaro failover drill --stop ends it`;
    rows.push(["hold", `A drill is running: ${drill.service}/${drill.target} ${now}; ${left}. By ${drill.who}: ${drill.why}`, drill.service]);
  }
  for (const each of frozen)
    rows.push(["hold", `Frozen${each.region ? ` in ${where(each.region)}` : ""}: ${each.service || "everything"}, by ${each.who}: ${each.why}`, each.service]);
  for (const service of unique(pins.map((each) => each.service))) {
    const lines = pins
      .filter((each) => each.service === service)
      .map((each) => [`${service} to ${each.target}, by ${each.who}${each.why ? `: ${each.why}` : ""}`, each.region]);
    for (const [text, places] of together(lines)) rows.push(["hold", `Switched${inSome(places, service, targets, " in ")}: ${text}`, service]);
  }
  return rows;
}
