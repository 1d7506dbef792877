// The one button of the failover page: it gives nothing before its service's name is typed.

import { el } from "./dom.js";
import { carrying, regionsOf, together, unique, where } from "./failover_words.js";

const TITLES = { switch: "Switch", revert: "Revert", freeze: "Freeze", unfreeze: "Unfreeze" };
const ALL = "everything"; // typed for an order that names no service
const CHOICES = new Set(["kind", "service", "target", "region"]);
const byId = (id) => document.getElementById(id);

/** Wire the form; `know(facts, alerts)` tells it what there is. `fetched` speaks as the operator. */
export function orderForm({ fetched, done }) {
  let targets = [];
  let choices = [];
  let alerts = [];
  let isGiven = false; // an order is on its way

  const wanted = () => byId("service").value || ALL;

  function options(select, pairs) {
    const facts = JSON.stringify(pairs);
    if (select.dataset.facts === facts) return;
    const before = select.value;
    select.dataset.facts = facts;
    select.replaceChildren(...pairs.map(([value, text]) => el("option", { value }, text)));
    if (pairs.some(([value]) => value === before)) select.value = before;
  }

  function fit() {
    const kind = byId("kind").value;
    const services = unique(targets.map((each) => each.service)).map((name) => [name, name]);
    options(byId("service"), kind === "switch" ? services : [...services, ["", "All services"]]);
    const mine = targets.filter((each) => each.service === byId("service").value);
    options(byId("target"), unique(mine.map((each) => each.target)).map((name) => [name, name]));
    options(byId("region"), [["", "Everywhere"], ...regionsOf(byId("service").value, targets).map((name) => [name, where(name)])]);
    byId("target-field").hidden = kind !== "switch";
    byId("forces").textContent = `Force: ${kind === "switch" ? "even to a target that fails, and " : ""}even without a controller`;
    byId("confirm-label").textContent = `Type ${wanted()} to confirm`;
    byId("give").textContent = kind === "switch" ? `Switch ${wanted()} to ${byId("target").value}` : `${TITLES[kind]} ${wanted()}`;
    const isTold = byId("who").value.trim() && byId("why").value.trim();
    byId("give").disabled = isGiven || !isTold || byId("confirm").value !== wanted();
    now();
  }

  /** What orders change, beside the button that gives them: who presses it sees it come about. */
  function now() {
    const service = byId("service").value;
    const mine = choices.filter((each) => !service || each.service === service);
    const names = unique(mine.map((each) => each.service));
    const shares = names.flatMap((name) =>
      together(mine.filter((each) => each.service === name).map((each) => [carrying(each), each.region])).map(([words, places]) => ["", `${name} in ${places}: ${words}`]),
    );
    const ordered = alerts.filter(([kind, , of]) => kind === "hold" && (!service || !of || of === service));
    const rows = [...shares, ...ordered];
    const facts = JSON.stringify(rows);
    if (byId("now").dataset.facts === facts) return;
    byId("now").dataset.facts = facts;
    byId("now").replaceChildren(...rows.map(([kind, text]) => el("li", { class: kind }, text)));
  }

  /** Forget the answer once another order is chosen. */
  function chosen({ target }) {
    if (isGiven || !CHOICES.has(target.id)) return;
    byId("answer").className = "answer";
    byId("answer").textContent = "";
  }

  function order() {
    const kind = byId("kind").value;
    return {
      order: kind,
      service: byId("service").value,
      region: byId("region").value,
      who: byId("who").value.trim(),
      why: byId("why").value.trim(),
      force: byId("force").checked,
      confirm: byId("confirm").value,
      ...(kind === "switch" ? { target: byId("target").value } : {}),
    };
  }

  async function give(event) {
    event.preventDefault();
    if (byId("give").disabled) return;
    isGiven = true;
    fit();
    const answer = byId("answer");
    answer.className = "answer";
    answer.textContent = "Ordered; waiting for the answer …";
    try {
      const said = await fetched("/failover/orders", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(order()),
      });
      answer.textContent = `Done: ${said.text}.`;
      answer.classList.add("good");
    } catch (error) {
      answer.textContent = `Not done: ${error.message}.`;
      answer.classList.add("bad");
    }
    isGiven = false;
    byId("confirm").value = ""; // the next one is typed anew
    byId("force").checked = false;
    fit();
    done();
  }

  byId("order").addEventListener("input", fit);
  byId("order").addEventListener("change", chosen);
  byId("order").addEventListener("change", fit);
  byId("order").addEventListener("submit", give);
  return {
    know(facts, rows) {
      ({ targets, choices } = facts);
      alerts = rows;
      fit();
    },
  };
}
