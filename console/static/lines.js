// What those who watch a story say to each other: one line each, for those who are there.

import { el } from "./dom.js";

const LINE_CHARS = 200; // what the hub takes
const PAUSE_MS = 2000; // between two lines, as the hub has it
const TYPING_EVERY_MS = 3000;
const TYPING_MS = 5000; // after which somebody has stopped
const TYPING_CROWD = 50; // beyond which that somebody types is no news, and would cost others theirs
const TYPERS = 20;
const SHOWN = 5; // the latest
const SHOWN_MS = 60000;
const VOICES = 6; // colours

// What turns text around or shows nothing, which the hub refuses; and halves of characters.
const UNSEEN = /[\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]/gu;
const BLANKS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\s]+/gu;

/** Text as the hub takes it. */
function plain(text) {
  return text.replace(UNSEEN, "").replace(BLANKS, " ").trim();
}

/** The same colour for the same person, on every page. */
function voice(name) {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + character.codePointAt(0)) >>> 0;
  return `voice-${sum % VOICES}`;
}

/** The place for a story's lines. `say(kind, value)` tells whether it was sent; `isMine(name)` whose a line is. */
export class Lines {
  #say;
  #isMine;
  #typers = new Map(); // name: the timer after which they have stopped
  #here = 1;
  #isOn = false;
  #isPausing = false;
  #saidTyping = -Infinity;
  #log = el("div", { class: "lines", role: "log", "aria-live": "polite", "aria-label": "What people say" });
  #typing = el("p", { class: "typing", role: "status", "aria-live": "polite" });
  #field = el("input", { type: "text", name: "line", id: "line", maxlength: LINE_CHARS, autocomplete: "off", enterkeyhint: "send", placeholder: "Say something", "aria-describedby": "line-hint" });
  #button = el("button", { class: "button", type: "submit" }, "Send");

  constructor({ say, isMine }) {
    this.#say = say;
    this.#isMine = isMine;
    this.#field.addEventListener("input", () => this.#tellTyping());
    this.#field.addEventListener("keydown", (event) => event.isComposing || event.key !== "Escape" || this.#field.blur());
    this.element = el(
      "div",
      { class: "talk" },
      this.#log,
      this.#typing,
      el(
        "form",
        { class: "say", onsubmit: (event) => this.#send(event) },
        el("label", { class: "visually-hidden", for: "line" }, "Say something to those who watch now"),
        this.#field,
        this.#button,
      ),
      el("p", { class: "hint", id: "line-hint" }, "Seen by those who watch now, and not kept."),
    );
    this.#enable();
  }

  /** So many are here, or nobody can be told. What was typed stays. */
  connected(count) {
    this.#here = count;
    this.#isOn = count > 0;
    if (!this.#isOn) for (const name of [...this.#typers.keys()]) this.#stopped(name);
    this.#enable();
  }

  hear({ kind, from, value }) {
    if (kind === "line") this.#show(from, value);
    else if (kind === "typing" && !this.#isMine(from)) this.#types(from);
  }

  #enable() {
    this.#button.disabled = !this.#isOn || this.#isPausing;
  }

  #send(event) {
    event.preventDefault();
    const text = plain(this.#field.value);
    this.#field.focus();
    if (this.#button.disabled || !text || !this.#say("line", text)) return;
    this.#field.value = "";
    this.#saidTyping = -Infinity;
    this.#isPausing = true;
    setTimeout(() => {
      this.#isPausing = false;
      this.#enable();
    }, PAUSE_MS);
    this.#enable();
  }

  #tellTyping() {
    const now = performance.now();
    if (!this.#isOn || this.#here > TYPING_CROWD || !plain(this.#field.value)) return;
    if (now - this.#saidTyping < TYPING_EVERY_MS) return;
    if (this.#say("typing")) this.#saidTyping = now;
  }

  #show(from, value) {
    this.#stopped(from);
    const isMine = this.#isMine(from);
    const name = el("span", { class: isMine ? "who" : "visually-hidden" }, isMine ? "You: " : "Somebody: ");
    const line = el("p", { class: voice(from), "data-mine": isMine }, name, el("bdi", {}, value));
    this.#log.append(line);
    while (this.#log.children.length > SHOWN) this.#log.firstElementChild.remove();
    setTimeout(() => line.remove(), SHOWN_MS);
  }

  #types(name) {
    if (!this.#typers.has(name) && this.#typers.size >= TYPERS) return;
    clearTimeout(this.#typers.get(name));
    this.#typers.set(name, setTimeout(() => this.#stopped(name), TYPING_MS));
    this.#sayWhoTypes();
  }

  #stopped(name) {
    clearTimeout(this.#typers.get(name));
    if (this.#typers.delete(name)) this.#sayWhoTypes();
  }

  #sayWhoTypes() {
    const said = ["", "Somebody is typing …"][this.#typers.size] ?? "Several people are typing …";
    if (this.#typing.textContent !== said) this.#typing.textContent = said; // else it is read out again
  }
}
