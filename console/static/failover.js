// Failover: what works, what carries what, what was done, what would be done, and one safe button.

import { el } from "./dom.js";
import { orderForm } from "./failover_order.js";
import { keepToken, takeToken } from "./operator.js";
import { regionTitle } from "./stack.js";

const EVERY_MS = 2000;
const EVERYWHERE = "*"; // the region of what is decided for all of them
const WORDS = { unknown: "not known", up: "works", suspect: "in doubt", held: "held off", down: "down" };
const RANK = ["unknown", "up", "held", "suspect", "down"]; // the worst last
const byId = (id) => document.getElementById(id);

let token = "";
let timer = 0;
let asking = null; // AbortController of the request that is on its way
let shown = {}; // by list: what it shows, so that only what changed is drawn anew

const where = (name) => (name === EVERYWHERE ? "DNS" : regionTitle(name));
const percent = (share) => `${Math.round(share * 100)} %`;
const unique = (values) => [...new Set(values)];

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

function alerts(said) {
  const silent = said.members.filter((each) => !each.status);
  const rows = silent.map((each) => ["warn", `${each.name} does not answer: ${each.why_not}`]);
  if (!said.led) {
    const why = said.members.map((each) => each.status?.controller.why_not).find(Boolean);
    rows.push(["bad", `No member leads${why ? ` (${why})` : ""}. What was decided last stays in force; Force orders without a controller.`]);
  }
  for (const each of said.members)
    if (each.status?.alone) rows.push(["warn", `${each.name} hears no controller and decides for its own edge.`]);
  for (const each of said.led?.frozen ?? [])
    rows.push(["hold", `Frozen: ${[each.service || "everything", each.region && where(each.region)].filter(Boolean).join(", ")}, by ${each.who}: ${each.why}`]);
  for (const text of unique((said.led?.pins ?? []).map((each) => `Switched: ${each.service} to ${each.target}, by ${each.who}`))) rows.push(["hold", text]);
  if (said.led?.drill) rows.push(["hold", `A drill: ${said.led.drill.service}/${said.led.drill.target} is ${said.led.drill.text}`]);
  for (const each of said.led?.decision?.choices ?? [])
    if (each.fails_open) rows.push(["bad", `Every target of ${each.service} fails in ${where(each.region)}: its traffic stays where it is.`]);
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
  const words = parts.map(([name, share]) => `${name} ${percent(share)}`).join(", ");
  return el("li", {}, el("span", { class: "place" }, where(choice.region)), bar, el("span", { class: "words" }, words));
}

/** What is known: of who leads; else the newest decision that a member acts on, without states. */
function known(said) {
  if (said.led) return { targets: said.led.targets, choices: said.led.decision?.choices ?? [] };
  const decisions = said.members.map((each) => each.status?.decision).filter(Boolean);
  const [newest] = decisions.sort((one, other) => other.version[0] - one.version[0] || other.version[1] - one.version[1]);
  const choices = newest?.choices ?? [];
  const targets = choices.flatMap(({ service, region, order }) => order.map((target) => ({ service, region, target, state: "unknown", why: "" })));
  return { targets, choices };
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

function timeline(entries) {
  draw("timeline", entries, () =>
    [...entries].reverse().map((each) => {
      const at = new Date(each.at * 1000);
      const places = (each.regions ?? []).map(where).join(", ");
      const book = RUNBOOK.test(each.runbook ?? "") ? el("a", { href: `/runbooks/${each.runbook}` }, "Runbook") : null;
      return el(
        "li",
        { class: each.happening },
        el("time", { datetime: at.toISOString(), title: at.toISOString() }, at.toLocaleTimeString([], { hour12: false })),
        el("div", {}, el("p", {}, each.text.includes(each.service ?? "") ? each.text : `${each.service}: ${each.text}`), el("small", {}, [places, `${each.member}/${each.who ?? "amaro"}`].filter(Boolean).join(" · "), book ? " · " : null, book)),
      );
    }),
  );
}

function summary(said) {
  const led = said.led;
  if (!led) return "Nobody leads just now.";
  const those = (state) => unique(led.targets.filter((each) => each.state === state).map((each) => `${each.service}/${each.target}`));
  const bad = ["down", "suspect", "held"].filter((state) => those(state).length);
  const works = bad.map((state) => `${WORDS[state][0].toUpperCase()}${WORDS[state].slice(1)}: ${those(state).join(", ")}.`).join(" ") || "Every target works.";
  const left = led.steps ? ` ${led.steps} steps are left to do.` : " All is as decided.";
  return `${works}${left} ${led.controller.name} leads, epoch ${led.controller.epoch}.`;
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
    const { steps } = await fetched(`/failover/plan.json?${query}`);
    rows = steps.map((each) => each.text);
    if (!rows.length) rows = ["Nothing to do: what is there is what is decided."];
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
    if (byId("summary").textContent !== summary(said)) byId("summary").textContent = summary(said);
    alerts(said);
    const facts = known(said);
    services(facts);
    suppositions(facts.targets);
    form.know(facts.targets);
    if (said.led) {
      vantages(said.led);
      dns(said.led);
    }
    timeline(said.entries);
    await plan();
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error.status === 401) return demand("That is not the members’ token.");
    byId("summary").textContent = `Nothing to show: ${error.message}.`;
  }
  timer = setTimeout(ask, EVERY_MS);
}

const form = orderForm({ fetched, where, done: ask });

byId("entry").addEventListener("submit", (event) => {
  event.preventDefault();
  token = byId("token").value.trim();
  keepToken(token);
  ask();
});
byId("suppose").addEventListener("change", plan);
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : ask()));
addEventListener("hashchange", () => {
  token = takeToken();
  ask();
});
token = takeToken();
ask();
