// Small ways to build a page and to say times and sizes.

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  play: "M8 5.1v13.8a1 1 0 0 0 1.5.9l11-6.9a1 1 0 0 0 0-1.8l-11-6.9A1 1 0 0 0 8 5.1z",
  pause: "M7 4h3.4v16H7zM13.6 4H17v16h-3.4z",
  replay: "M12 5V1.6L6.6 6.4 12 11V7.6a5.4 5.4 0 1 1-5.4 5.4H4a8 8 0 1 0 8-8z",
  loud: "M3 9v6h4l5 4.5v-15L7 9zm12.5-1.6v9.2a5 5 0 0 0 0-9.2zm0-4v2.2a7 7 0 0 1 0 12.8v2.2a9 9 0 0 0 0-17.2z",
  mute: "M3 9v6h4l5 4.5v-15L7 9zm18.5 1L20 8.500 17.500 11 15 8.500 13.500 10l2.500 2.500-2.500 2.500L15 16.500l2.500-2.500 2.500 2.500 1.500-1.500-2.500-2.500z",
  quality: "M4 7h9.200a3 3 0 0 1 5.600 0H20v2h-1.200a3 3 0 0 1-5.600 0H4zm0 8h1.200a3 3 0 0 1 5.600 0H20v2h-9.200a3 3 0 0 1-5.600 0H4z",
  full: "M4 9V4h5v2.200H6.200V9zm11-5h5v5h-2.200V6.200H15zM6.200 15v2.800H9V20H4v-5zm11.600 0H20v5h-5v-2.200h2.800z",
  small: "M9 4v5H4V6.800h2.800V4zm6 0h2.200v2.800H20V9h-5zM4 15h5v5H6.800v-2.800H4zm11 0h5v2.200h-2.800V20H15z",
};

/** An element: `el("p", {class: "x", onclick: f}, "text", child)`. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

export function setIcon(button, name, label) {
  if (button.dataset.icon === name) return;
  button.dataset.icon = name;
  button.replaceChildren(icon(name));
  button.setAttribute("aria-label", label);
  button.title = label;
}

/** "1:05" for 65 seconds. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** "1 minute 5 seconds" for 65 seconds. */
export function spokenTime(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  const parts = [
    [Math.floor(whole / 3600), "hour"],
    [Math.floor(whole / 60) % 60, "minute"],
    [whole % 60, "second"],
  ].filter(([n], i) => n || (i === 2 && whole < 60));
  return parts.map(([n, unit]) => `${n} ${unit}${n === 1 ? "" : "s"}`).join(" ");
}

export function megabytes(bytes) {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

const AGES = [[31536000, "year"], [2592000, "month"], [86400, "day"], [3600, "hour"], [60, "minute"]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** "2 hours ago" for an instant in unix seconds. */
export function age(unixSeconds, nowMs = Date.now()) {
  const seconds = Math.max(0, nowMs / 1000 - unixSeconds);
  const found = AGES.find(([size]) => seconds >= size);
  return found ? relative.format(-Math.floor(seconds / found[0]), found[1]) : "just now";
}
