// signals.js as it is, in a world of its own: prints how many tokens were asked for, and sent.
import { readFile, writeFile } from "node:fs/promises";

const [source, folder] = process.argv.slice(2);
await writeFile(`${folder}/stack.mjs`, "export const realtime = true; export const edgesFor = () => ['http://edge'];");
const text = (await readFile(source, "utf8")).replace("./stack.js", "./stack.mjs");
await writeFile(`${folder}/signals.mjs`, text);

const timers = new Map();
let numbers = 0;
globalThis.setTimeout = (run) => (timers.set((numbers += 1), run), numbers);
globalThis.clearTimeout = (number) => timers.delete(number);
globalThis.addEventListener = () => undefined;
globalThis.document = { addEventListener: () => undefined, hidden: true };
globalThis.sessionStorage = { getItem: () => "", setItem: () => undefined };

const waiting = []; // answers that are on their way
globalThis.fetch = () => new Promise((resolve) => waiting.push(() => resolve({ ok: true, json: async () => ({ token: "t", expires_in_s: 3600 }) })));
const sockets = [];
globalThis.WebSocket = class extends EventTarget {
  static OPEN = 1;
  readyState = 1;
  sent = [];
  constructor() {
    super();
    sockets.push(this);
  }
  send(data) {
    this.sent.push(JSON.parse(data));
  }
};
const settle = () => new Promise((done) => setImmediate(done));
const answer = async () => {
  waiting.shift()();
  await settle();
};
const fire = async () => {
  for (const [number, run] of [...timers]) timers.delete(number) && run();
  await settle();
};

const { signals } = await import(`${folder}/signals.mjs`);
signals.join("story:a", {});
await answer();
sockets[0].dispatchEvent(new Event("open"));
await fire(); // the first token is to be renewed: that answer is late
sockets[0].readyState = 3;
sockets[0].dispatchEvent(Object.assign(new Event("close"), { code: 1006 }));
await fire(); // it connects again
waiting.push(waiting.shift()); // and that answer comes first
await answer();
sockets[1].dispatchEvent(new Event("open"));
await answer(); // the late one
const hellos = sockets.map(({ sent }) => sent.filter(({ t }) => t === "hello").length);
console.log(JSON.stringify({ hellos, timers: timers.size }));
