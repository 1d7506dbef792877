// Signals as they happen: who is here, who types, lines, reactions, "this story can be watched now".
//
// Pages work without: nothing waits for a connection, and what a signal says can be asked for.
// Marks say what this page has heard of each topic, so that a new connection goes on from there.

import { edgesFor, realtime } from "./stack.js";

const TOKEN = "amaro.signals";
const FIRST_WAIT_MS = 1000;
const LAST_WAIT_MS = 60000;
const WELL_AFTER_MS = 30000; // a connection that held this long was a good one
const KEYS = 200; // of events that were heard; an edge may say one again
const REFUSED_FOR_GOOD = 4429;

function stored() {
  try {
    return sessionStorage.getItem(TOKEN) ?? "";
  } catch {
    return ""; // storage is off: every page is somebody else
  }
}

function store(token) {
  try {
    sessionStorage.setItem(TOKEN, token);
  } catch {
    // storage is off: every page is somebody else
  }
}

async function newToken(edge) {
  const response = await fetch(`${edge}/api/realtime`, { method: "POST", body: stored() });
  if (!response.ok) throw new Error(`no token: ${response.status}`);
  const said = await response.json();
  store(said.token);
  return said;
}

/** One connection for all topics of a page; it comes back by itself. */
class Signals {
  #topics = new Map(); // name: {after, hears}
  #heard = new Set();
  #socket = null;
  #renewal = null;
  #waitMs = FIRST_WAIT_MS;
  #edges = edgesFor();
  #started = false;
  #next = null; // the timer of the next attempt
  #subject = null; // whom the hub takes this page for

  constructor() {
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
  }

  /** Hears a topic; `hears` has any of onSignal(signal), onPresence(count), onGap(), onLost(). */
  join(topic, hears, after) {
    if (!realtime) return;
    this.#topics.set(topic, { after, hears });
    if (this.#started) this.#sayJoin(topic);
    else this.#connect();
  }

  leave(topic) {
    if (this.#topics.delete(topic)) this.#say({ t: "leave", topic });
  }

  /** Tells those who are here, and says whether that was sent: not when there is no connection. */
  say(topic, kind, value = "") {
    return this.#say({ t: "say", topic, kind, value });
  }

  /** Whether what is `from` somebody is this page's own. */
  isMine = (from) => from === this.#subject;

  async #connect() {
    this.#started = true;
    const edge = this.#edges[0];
    let token;
    try {
      token = await newToken(edge);
    } catch {
      return this.#later();
    }
    const socket = new WebSocket(`${edge.replace(/^http/, "ws")}/.amaro/ws`);
    const since = performance.now();
    socket.addEventListener("open", () => this.#greet(socket, edge, token));
    socket.addEventListener("message", ({ data }) => this.#hear(JSON.parse(data)));
    socket.addEventListener("close", ({ code }) => {
      clearTimeout(this.#renewal);
      this.#socket = null;
      for (const { hears } of this.#topics.values()) hears.onLost?.();
      if (code === REFUSED_FOR_GOOD) return;
      if (performance.now() - since > WELL_AFTER_MS) this.#waitMs = FIRST_WAIT_MS;
      this.#later();
    });
    return undefined;
  }

  #greet(socket, edge, token) {
    this.#socket = socket;
    this.#hello(socket, edge, token);
    for (const topic of this.#topics.keys()) this.#sayJoin(topic);
  }

  /** Says who this is, and again in time, on this connection: another one has a token of its own. */
  #hello(socket, edge, { token, expires_in_s: seconds }) {
    if (this.#socket !== socket) return;
    this.#say({ t: "hello", v: 1, token });
    const renew = () => newToken(edge).then((next) => this.#hello(socket, edge, next), () => undefined);
    clearTimeout(this.#renewal);
    this.#renewal = setTimeout(renew, seconds * 600);
  }

  /** Tries again after a random while, so that not everybody comes at once; another edge first. */
  #later() {
    this.#edges.push(this.#edges.shift());
    this.#next = setTimeout(() => this.#connectNow(), this.#waitMs * (0.5 + Math.random()));
    this.#waitMs = Math.min(LAST_WAIT_MS, this.#waitMs * 2);
  }

  #connectNow() {
    clearTimeout(this.#next);
    this.#next = null;
    this.#connect();
  }

  /** Tries at once: the network is back, or somebody looks again. */
  #hurry() {
    if (this.#next === null) return;
    this.#waitMs = FIRST_WAIT_MS;
    this.#connectNow();
  }

  #sayJoin(topic) {
    this.#say({ t: "join", topic, after: this.#topics.get(topic).after });
  }

  #say(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  #hear(said) {
    if (said.t === "welcome") this.#subject = said.subject;
    const topic = this.#topics.get(said.topic);
    if (!topic) return;
    const { hears } = topic;
    if (said.t === "joined") {
      if (said.gap && topic.after) hears.onGap?.();
      topic.after = said.since;
      hears.onPresence?.(said.here);
    } else if (said.t === "presence") {
      hears.onPresence?.(said.here);
    } else if (said.t === "signal") {
      topic.after = said.mark ?? topic.after;
      if (!this.#knows(said)) hears.onSignal?.(said);
    }
  }

  /** Whether an event was heard before, perhaps by another edge. */
  #knows({ topic, key }) {
    if (!key) return false;
    const name = `${topic} ${key}`;
    if (this.#heard.has(name)) return true;
    this.#heard.add(name);
    if (this.#heard.size > KEYS) this.#heard.delete(this.#heard.values().next().value);
    return false;
  }
}

export const signals = new Signals();
