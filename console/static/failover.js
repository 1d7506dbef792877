// Failover: what works, what carries what, what was done, what would be done, and one safe button.

import { el } from "./dom.js";
import { alertsOf } from "./failover_alerts.js";
import { orderForm } from "./failover_order.js";
import { WORDS, carrying, known, regionsOf, unique, where } from "./failover_words.js";
import { keepToken, takeToken } from "./operator.js";
import { regionTitle } from "./stack.js";

const EVERY_MS = 2000;
const NEWEST = 20; // entries of the timeline that are shown at first
const RANK = ["unknown", "up", "held", "suspect", "down"]; // the worst last
const byId = (id) => document.getElementById(id);

let token = "";
let timer = 0;
let areAllShown = false; // of the timeline's entries
let asking = null; // AbortController of the request that is on its way
let shown = {}; // by list: what it shows, so that only what changed is drawn anew

/** Fetch as this operator; throws with what is wrong. */
async function fetched(path, options = {}) {
  const response = await fetch(path, { ...options, headers: { ...options.headers, authorization: `Bearer ${token}` } });
  const said = await response.json();
  if (!response.ok) throw Object.assign(new Error(said.error ?? said.text), { status: response.status });
  return said;
}

/** Replace what a list shows, unless it is that already: whoever reads or selects is not disturbed. */
function draw(id, facts, make) {
  const text = JSON.stringify(facts);
  if (shown[id] === text) return;
  shown[id] = text;
  byId(id).replaceChildren(...make());
}

function alerts(rows) {
  draw("alerts", rows, () => rows.map(([kind, text]) => el("li", { class: kind }, text)));
}

function badge(state, text) {
  return el("span", { class: `badge ${state}` }, text);
}

function targetRow(name, rows) {
  const worst = rows.reduce((one, other) => (RANK.indexOf(other.state) > RANK.indexOf(one.state) ? other : one));
  const places = rows.filter((each) => each.state === worst.state);
  const inAll = places.length === rows.length;
  const state = inAll ? WORDS[worst.state] : `${WORDS[worst.state]} in ${places.map((each) => where(each.region)).join(", ")}`;
  const note = worst.state === "held" ? `used again after ${Math.ceil(worst.held_off_s / 60)} min more without a break` : worst.why;
  const votes = worst.votes ? `${worst.votes.up} up, ${worst.votes.down} down, ${worst.votes.silent} silent` : "";
  return el(
    "tr",
    { role: "row" }, // on a phone a row is laid out as a block, and is a row all the same
    el("th", { scope: "row", role: "rowheader" }, name),
    el("td", { role: "cell" }, badge(worst.state, state)),
    el("td", { role: "cell" }, votes),
    el("td", { class: "note", role: "cell" }, note),
  );
}

function carried(choice, names) {
  const parts = choice.shares.filter(([, share]) => share > 0);
  const bar = el("span", { class: "bar", "aria-hidden": "true" });
  for (const [name, share] of parts) {
    const part = el("span", { class: `part tone-${names.indexOf(name) % 4}` });
    part.style.setProperty("flex-grow", String(share));
    bar.append(part);
  }
  return el("li", {}, el("span", { class: "place" }, where(choice.region)), bar, el("span", { class: "words" }, carrying(choice)));
}

function services({ targets: all, choices: chosen }) {
  const names = unique(all.map((each) => each.service));
  const facts = [all.map(({ since_s: _, held_off_s: held, ...rest }) => ({ ...rest, held: Math.ceil((held ?? 0) / 60) })), chosen];
  draw("services", facts, () =>
    names.map((service) => {
      const mine = all.filter((each) => each.service === service);
      const targets = unique(mine.map((each) => each.target));
      const choices = chosen.filter((each) => each.service === service);
      const body = el("tbody", { role: "rowgroup" }, ...targets.map((name) => targetRow(name, mine.filter((each) => each.target === name))));
      const head = el("tr", { role: "row" }, ...["Target", "State", "Votes", "Why"].map((text) => el("th", { scope: "col", role: "columnheader" }, text)));
      return el(
        "section",
        { class: "service", "aria-label": service },
        el("h2", {}, service),
        el("ul", { class: "carried", "aria-label": `What carries ${service}` }, ...choices.map((each) => carried(each, targets))),
        el("div", { class: "wide" }, el("table", { role: "table" }, el("thead", { role: "rowgroup" }, head), body)),
      );
    }),
  );
}

function vantages(led) {
  draw("vantages", led.vantages, () =>
    unique(led.vantages.map((each) => each.region)).map((region) =>
      el(
        "div",
        {},
        el("h3", {}, regionTitle(region)),
        el(
          "ul",
          { class: "lines" },
          ...led.vantages
            .filter((each) => each.region === region)
            .map((each) => el("li", {}, badge(each.counts ? "up" : "suspect", each.counts ? "votes" : "no vote"), el("strong", {}, each.name), each.why_not)),
        ),
      ),
    ),
  );
}

function dns(led) {
  byId("dns-section").hidden = led.dns.length === 0;
  const kinds = { "in force": "up", failed: "down" };
  draw("dns", led.dns, () =>
    led.dns.map((each) => el("li", {}, badge(kinds[each.state] ?? "suspect", each.state), el("strong", {}, `${each.name} at ${each.provider}`), each.why || each.resolvers || each.wanted)),
  );
}

const RUNBOOK = /^[a-z-]+$/;
const MARKED = /^(?:(DRILL|refused):? )?(.*)$/s; // what a drill has caused begins so, and what was refused
const MARKS = { DRILL: ["held", "Drill"], refused: ["down", "Refused"] };

/** "10:05:48", with its day where that is not today. */
function clockOf(at) {
  const time = at.toLocaleTimeString([], { hour12: false });
  const isToday = at.toDateString() === new Date().toDateString();
  return isToday ? time : `${at.toLocaleDateString([], { day: "numeric", month: "short" })} ${time}`;
}

function timeline(entries, targets) {
  const isPlace = (service) => {
    const regions = regionsOf(service, targets); // an order that was refused may have named another
    return (region) => !targets.length || regions.includes(region);
  };
  const facts = entries.map((each) => ({ ...each, places: (each.regions ?? []).filter(isPlace(each.service)).map(where) }));
  const newest = areAllShown ? facts : facts.slice(-NEWEST);
  byId("earlier").hidden = newest.length === facts.length;
  byId("earlier").textContent = `Show ${facts.length - newest.length} earlier`;
  draw("timeline", newest, () =>
    [...newest].reverse().map((each) => {
      const at = new Date(each.at * 1000);
      const [, begins, told] = MARKED.exec(each.text);
      const book = RUNBOOK.test(each.runbook ?? "") ? el("a", { href: `/runbooks/${each.runbook}` }, "Runbook") : null;
      const text = told.includes(each.service ?? "") ? told : `${each.service}: ${told}`;
      const mark = MARKS[each.happening] ?? MARKS[begins];
      return el(
        "li",
        { class: each.happening },
        el("time", { datetime: at.toISOString(), title: at.toISOString() }, clockOf(at)),
        el(
          "div",
          {},
          el("p", {}, ...(mark ? [badge(...mark), " "] : []), text),
          el("small", {}, [each.places.join(", "), `${each.member}/${each.who ?? "amaro"}`].filter(Boolean).join(" · "), book ? " · " : null, book),
        ),
      );
    }),
  );
}

function summary(led, targets) {
  if (!led) return "Nobody leads just now.";
  const those = (state) => unique(targets.filter((each) => each.state === state).map((each) => `${each.service}/${each.target}`));
  const bad = ["down", "suspect", "held"].filter((state) => those(state).length);
  const works = bad.map((state) => `${WORDS[state][0].toUpperCase()}${WORDS[state].slice(1)}: ${those(state).join(", ")}.`).join(" ") || "Every target works.";
  return `${works} ${left(led)} ${led.controller.name} leads, epoch ${led.controller.epoch}.`;
}

function left({ decision, steps, dns, kept = [] }) {
  if (!decision) return "Nothing is decided yet.";
  if (steps) return steps === 1 ? "1 step is left to do." : `${steps} steps are left to do.`;
  if (dns.some((each) => each.state !== "in force")) return "DNS is not as decided yet.";
  return kept.length ? "All else is as decided." : "All is as decided.";
}

function suppositions(targets) {
  const names = unique(targets.map((each) => `${each.service}/${each.target}`));
  const select = byId("suppose");
  draw("suppose", names, () => [el("option", { value: "" }, "Nothing: what is left to do"), ...names.map((name) => el("option", { value: name }, name))]);
  if (!names.includes(select.value)) select.value = "";
}

async function plan() {
  const [service, target] = byId("suppose").value.split("/");
  const query = new URLSearchParams(target ? { service, target } : {});
  let rows;
  try {
    const { steps, why } = await fetched(`/failover/plan.json?${query}`);
    rows = steps.map((each) => each.text);
    if (!rows.length) rows = [`${target ? "Nothing would be done" : "Nothing to do"}: ${why ?? "what is there is what is decided"}.`];
  } catch (error) {
    rows = [`No plan: ${error.message}.`];
  }
  draw("steps", rows, () => rows.map((text) => el("li", {}, text)));
}

function demand(problem) {
  byId("entry").hidden = false;
  byId("told").hidden = true;
  byId("problem").hidden = !problem;
  byId("problem").textContent = problem;
}

async function ask() {
  asking?.abort();
  clearTimeout(timer);
  if (!token) return demand("");
  asking = new AbortController();
  try {
    const said = await fetched("/failover.json", { signal: asking.signal });
    byId("entry").hidden = true;
    byId("told").hidden = false;
    const facts = known(said);
    const words = summary(said.led, facts.targets);
    if (byId("summary").textContent !== words) byId("summary").textContent = words;
    const rows = alertsOf(said, facts);
    alerts(rows);
    services(facts);
    suppositions(facts.targets);
    form.know(facts, rows);
    if (said.led) {
      vantages(said.led);
      dns(said.led);
    }
    timeline(said.entries, facts.targets);
    await plan();
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error.status === 401) return demand("That is not the members’ token.");
    byId("summary").textContent = `Nothing to show: ${error.message}.`;
  }
  timer = setTimeout(ask, EVERY_MS);
}

const form = orderForm({ fetched, done: ask });

byId("entry").addEventListener("submit", (event) => {
  event.preventDefault();
  token = byId("token").value.trim();
  keepToken(token);
  ask();
});
byId("suppose").addEventListener("change", plan);
byId("earlier").addEventListener("click", () => {
  areAllShown = true;
  ask();
});
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : ask()));
addEventListener("hashchange", () => {
  token = takeToken();
  ask();
});
token = takeToken();
ask();
