// The treemap of all frames, and for one coroutine what is alive across each of its awaits.

import { TreemapChart } from "echarts/charts";
import { TooltipComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { actingRow, base, dark, data, element, escaped, findIn, number, palette, place } from "../page.mjs";

use([TreemapChart, TooltipComponent, SVGRenderer]);

const { coroutines, functions, notes } = data;
const bytes = number;
const kept = (at) => at.live_bytes + at.held_bytes;
const bodyAwaits = (one) => one.awaits.filter((at) => at.kind === "await");
const fattest = (one) => bodyAwaits(one).reduce((most, at) => (most && kept(most) >= kept(at) ? most : at), null);

const total = coroutines.reduce((sum, one) => sum + (one.frame_bytes ?? 0), 0);
document.getElementById("headline").textContent =
  coroutines.length === 0
    ? `No coroutines in ${bytes(functions)} functions`
    : `${bytes(coroutines.length)} coroutines, ${bytes(total)} bytes if each is there once`;
document.getElementById("notes").textContent = notes.join(" ");

function show(index) {
  const one = coroutines[index];
  const section = document.getElementById("coroutine");
  const key = element("p", { className: "key muted" }, `${place(one)}, frame ${bytes(one.frame_bytes)} B`);
  for (const state of ["live", "held", "dead"]) key.append(element("i", { className: state }), state);
  const rows = one.awaits.map((at) => {
    const bar = element("div", { className: "bar" });
    for (const part of at.variables) {
      const cell = element("i", { className: part.state, title: `${part.name || "padding"}: ${part.type}, ${part.bytes} B at ${part.offset}, ${part.state}` }, part.name);
      cell.style.flex = `${part.bytes} 1 0`;
      bar.append(cell);
    }
    const when = { initial: "before the body", final: "after the body" }[at.kind] ?? place(at);
    return element("div", { className: "await" }, element("span", { title: `known by: ${at.known_by}` }, `${when}: ${bytes(kept(at))} B kept`), bar);
  });
  section.replaceChildren(element("h2", {}, one.name), key, ...rows);
  section.scrollIntoView({ behavior: "smooth", block: "nearest" });
}

const rows = coroutines.map((one, index) => {
  const most = fattest(one);
  const row = actingRow(() => show(index));
  const overhead = one.frame_bytes === null ? null : one.abi_bytes + one.promise_bytes + one.padding_bytes;
  for (const text of [one.name, place(one), bytes(one.frame_bytes), bytes(overhead), `${bodyAwaits(one).length}`, most ? `${bytes(kept(most))} at ${place(most)}` : ""]) {
    row.append(element("td", {}, text));
  }
  return row;
});
document.querySelector("#list tbody").append(...rows);
findIn(rows, coroutines.map((one) => `${one.name} ${one.file}`));

const files = new Map();
coroutines.forEach((one, index) => {
  if (!one.frame_bytes) return;
  const file = one.file ?? "?";
  if (!files.has(file)) files.set(file, { name: base(file), children: [] });
  files.get(file).children.push({ name: one.name, value: one.frame_bytes, index });
});
const map = document.getElementById("map");
if (files.size === 0) {
  map.remove();
} else {
  const chart = init(map, null, { renderer: "svg" });
  chart.setOption({
    tooltip: { formatter: ({ name, value }) => `${escaped(name)}<br>${bytes(value)} B`, confine: true },
    series: [{
      type: "treemap",
      name: "all files",
      data: [...files.values()],
      leafDepth: files.size === 1 ? undefined : 1,
      roam: false,
      left: 0,
      right: 0,
      top: 0,
      bottom: 32,
      label: { formatter: ({ name, value }) => `${name}\n${bytes(value)} B`, overflow: "truncate", lineHeight: 16, fontFamily: "system-ui, sans-serif" },
      breadcrumb: { bottom: 0, itemStyle: { color: dark ? "#2b2f34" : "#6d7178", textStyle: { color: "#ffffff" } } },
      itemStyle: { borderColor: dark ? "#0d1117" : "#ffffff" },
      levels: [{}, { colorSaturation: [0.35, 0.6] }, { colorSaturation: [0.35, 0.6] }],
    }],
    color: palette,
  });
  chart.on("click", ({ data }) => data?.index !== undefined && show(data.index));
  addEventListener("resize", () => chart.resize());
}
const heaviest = coroutines.findIndex((one) => one.frame_bytes !== null);
if (heaviest >= 0 && coroutines[heaviest].awaits.length > 0) show(heaviest);
scrollTo(0, 0);
