// Draws the README's picture from a results file, for light and dark pages:
//
//   npm run pictures -- ../results/2026-01-31.json

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { parseHTML } from "linkedom";

import { asleep } from "./src/charts.mjs";
import { Results } from "./src/data.mjs";

const themes = {
  light: { paper: "#ffffff", text: "#23262b", muted: "#6d7178", grid: "#e8e6e0", accent: "#c2410c", bar: "#8fa3b5", floor: "#cfcbc1" },
  dark: { paper: "#0d1117", text: "#e4e4e1", muted: "#969ba3", grid: "#2b2f34", accent: "#fb923c", bar: "#5f7589", floor: "#454950" },
};

const [file] = process.argv.slice(2);
if (process.argv.length !== 3) {
  console.error("usage: npm run pictures -- RESULTS");
  process.exit(2);
}
const results = new Results(JSON.parse(await readFile(file, "utf8")));
const folder = new URL("../../docs/pictures/", import.meta.url);
await mkdir(folder, { recursive: true });

const { document } = parseHTML("<!doctype html><html><body></body></html>");
const chart = asleep(results, 780, { document });
const svg = chart.tagName.toLowerCase() === "svg" ? chart : chart.querySelector("svg");
svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
svg.setAttribute("role", "img");
svg.setAttribute("aria-label", `Bytes per sleeping task, from ${basename(file)}`);
svg.removeAttribute("class");
for (const style of svg.querySelectorAll("style")) style.remove();
svg.setAttribute("font-family", "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif");
svg.setAttribute("font-size", "13");
svg.removeAttribute("style");

for (const [name, colours] of Object.entries(themes)) {
  const text = svg.outerHTML.replaceAll(/var\(--([a-z]+)\)/g, (_, key) => colours[key]);
  await writeFile(new URL(`asleep-${name}.svg`, folder), `${text}\n`);
}
