// Draws the pictures of the documents from a results file, for light and dark pages: for README.md, or from a race of
// connections for docs/connections.md.
//
//   npm run pictures -- ../results/2026-01-31.json

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { parseHTML } from "linkedom";

import { asleep, connections } from "./src/charts.mjs";
import { Results } from "./src/data.mjs";

const themes = {
  light: { paper: "#ffffff", text: "#23262b", muted: "#6d7178", grid: "#e8e6e0", accent: "#c2410c", bar: "#8fa3b5", floor: "#cfcbc1" },
  dark: { paper: "#0d1117", text: "#e4e4e1", muted: "#969ba3", grid: "#2b2f34", accent: "#fb923c", bar: "#5f7589", floor: "#454950" },
};

const kinds = new Map([
  ["database", "per request that waits for a database"],
  ["http", "per idle HTTP connection"],
  ["https", "per idle HTTPS connection"],
  ["websocket", "per idle WebSocket"],
  ["websocket-tls", "per idle WebSocket over TLS"],
  ["sse", "per event stream"],
  ["long-poll", "per long poll"],
]);

const [file] = process.argv.slice(2);
if (process.argv.length !== 3) {
  console.error("usage: npm run pictures -- RESULTS");
  process.exit(2);
}
const json = JSON.parse(await readFile(file, "utf8"));
const results = new Results(json);
const folder = new URL("../../docs/pictures/", import.meta.url);
await mkdir(folder, { recursive: true });
const { document } = parseHTML("<!doctype html><html><body></body></html>");

async function draw(name, chart, label) {
  const svg = chart.tagName.toLowerCase() === "svg" ? chart : chart.querySelector("svg");
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${label}, from ${basename(file)}`);
  svg.removeAttribute("class");
  for (const style of svg.querySelectorAll("style")) style.remove();
  svg.setAttribute("font-family", "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif");
  svg.setAttribute("font-size", "13");
  svg.removeAttribute("style");
  for (const [theme, colours] of Object.entries(themes)) {
    const text = svg.outerHTML.replaceAll(/var\(--([a-z]+)\)/g, (_, key) => colours[key]);
    await writeFile(new URL(`${name}-${theme}.svg`, folder), `${text}\n`);
  }
}

if (json.measured === "connections") {
  for (const [kind, label] of kinds) {
    if (results.weights(kind).length === 0) continue;
    await draw(`connections-${kind}`, connections(results, kind, 780, { document }), `Bytes ${label}`);
  }
} else {
  await draw("asleep", asleep(results, 780, { document }), "Bytes per sleeping task");
}
