// Where the stack is: edges by region, the origin, and the region that this person chose.

const CHOICE = "amaro.region";
const config = JSON.parse(document.querySelector("meta[name=amaro-config]").content);

export const regions = config.edges.map((edge) => edge.name);
export const origin = config.origin;
export const realtime = config.realtime; // whether the edges have hubs of signals
export const signed = config.signed; // whether what is watched needs a token

function remembered() {
  try {
    return localStorage.getItem(CHOICE);
  } catch {
    return null; // storage is off: the choice lasts as long as the page
  }
}

let chosen = [new URLSearchParams(location.search).get("region"), remembered(), regions[0]].find(
  (name) => regions.includes(name),
);

export function region() {
  return chosen;
}

export function chooseRegion(name) {
  chosen = name;
  try {
    localStorage.setItem(CHOICE, name);
  } catch {
    // storage is off: the choice lasts as long as the page
  }
}

/** Base URLs of the edges, that of `name` first: the order in which to try them. */
export function edgesFor(name = chosen) {
  const first = config.edges.filter((edge) => edge.name === name);
  return [...first, ...config.edges.filter((edge) => edge.name !== name)].map((edge) => edge.url);
}

export function regionTitle(name) {
  return name.charAt(0).toUpperCase() + name.slice(1).replaceAll("-", " ");
}

/** The JSON at `path` from the first edge that answers; `null` for a 404; throws when none answers. */
export async function fromEdges(path, { signal, name, cache } = {}) {
  let failure = new Error("no edge is configured");
  for (const edge of edgesFor(name)) {
    try {
      const response = await fetch(edge + path, { signal, cache });
      if (response.status === 404) return null;
      if (response.ok) return { edge, data: await response.json() };
      failure = new Error(`the edge answered ${response.status}`);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      failure = error;
    }
  }
  throw failure;
}
