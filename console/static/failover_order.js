// The one button of the failover page: it gives nothing before its service's name is typed.

import { el } from "./dom.js";

const TITLES = { switch: "Switch", revert: "Revert", freeze: "Freeze", unfreeze: "Unfreeze" };
const ALL = "everything"; // typed for an order that names no service
const byId = (id) => document.getElementById(id);

/** Wire the form; `know(targets)` tells it what there is. `fetched` speaks as the operator. */
export function orderForm({ fetched, where, done }) {
  let targets = [];
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
    const services = [...new Set(targets.map((each) => each.service))].map((name) => [name, name]);
    options(byId("service"), kind === "switch" ? services : [...services, ["", "All services"]]);
    const mine = targets.filter((each) => each.service === byId("service").value);
    options(byId("target"), [...new Set(mine.map((each) => each.target))].map((name) => [name, name]));
    const regions = [...new Set(targets.map((each) => each.region))];
    options(byId("region"), [["", "Everywhere"], ...regions.map((name) => [name, where(name)])]);
    byId("target-field").hidden = kind !== "switch";
    byId("confirm-label").textContent = `Type ${wanted()} to confirm`;
    byId("give").textContent = kind === "switch" ? `Switch ${wanted()} to ${byId("target").value}` : `${TITLES[kind]} ${wanted()}`;
    const isTold = byId("who").value.trim() && byId("why").value.trim();
    byId("give").disabled = isGiven || !isTold || byId("confirm").value !== wanted();
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
  byId("order").addEventListener("change", fit);
  byId("order").addEventListener("submit", give);
  return {
    know(told) {
      targets = told;
      fit();
    },
  };
}
