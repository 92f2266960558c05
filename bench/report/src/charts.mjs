// The charts. Each takes the results and a width. They work in a browser and with a library that only builds a document
// tree: colors are CSS variables, and nothing is measured.

import * as Plot from "@observablehq/plot";

import { bytesPerTask, count, memory, nanoseconds, shortCount } from "./data.mjs";

const colour = { subject: "var(--accent)", other: "var(--bar)", floor: "var(--floor)" };
const rowHeight = 26;
const nameWidth = (width) => (width < 480 ? 132 : 176);

// Short forms of names that are too long for a phone.
const shortNames = new Map([
  ["Tokio, current thread", "Tokio, 1 thread"],
  ["Rust futures, joined", "Rust futures"],
  ["Java virtual threads", "Java"],
]);

const common = (width, options) => ({
  document: options.document,
  width,
  style: { fontFamily: "inherit", fontSize: "13px", overflow: "visible" },
});

function named(rows, width) {
  return rows.map((row) => ({ ...row, label: width < 480 ? (shortNames.get(row.name) ?? row.name) : row.name }));
}

// Text in which the subject's is bold and in its color.
function texts(rows, options) {
  const plain = (row) => (row.kind === "floor" ? "var(--muted)" : "var(--text)");
  return [
    Plot.text(rows, { ...options, filter: (row) => row.kind !== "subject", fill: plain }),
    Plot.text(rows, { ...options, filter: (row) => row.kind === "subject", fill: "var(--accent)", fontWeight: 650 }),
  ];
}

// Takes the place of the axis.
function names(rows) {
  return texts(rows, { y: "label", text: "label", frameAnchor: "left", dx: -10, textAnchor: "end" });
}

const noAxis = (rows, padding) => ({ axis: null, domain: rows.map((row) => row.label), padding });

// Bars on a logarithmic scale, each with its value: the length shows the ratio, the figure the value.
function logBars(rows, width, { format, from, ticks, tickFormat, left = nameWidth(width), ...options }) {
  const inOrder = [...rows].sort((a, b) => (a.kind === "floor") - (b.kind === "floor") || a.value - b.value);
  const data = named(inOrder, width);
  const most = Math.max(...data.map((row) => row.value));
  return Plot.plot({
    ...common(width, options),
    height: data.length * rowHeight + 34,
    marginLeft: left,
    marginRight: 64,
    marginTop: 4,
    marginBottom: 30,
    x: { type: "log", domain: [from, most * 1.05], label: null },
    y: noAxis(data, 0.28),
    marks: [
      Plot.gridX({ ticks, stroke: "var(--grid)", strokeOpacity: 1 }),
      Plot.axisX({ ticks, tickFormat, tickSize: 0, fill: "var(--muted)" }),
      Plot.barX(data, { x1: from, x2: "value", y: "label", fill: (row) => colour[row.kind], rx: 2 }),
      ...texts(data, { x: "value", y: "label", text: (row) => format(row.value), dx: 7, textAnchor: "start" }),
      ...names(data),
    ],
  });
}

const powers = (from, to) => {
  const all = [];
  for (let power = from; power <= to; power *= 10) all.push(power);
  return all;
};

export function asleep(results, width, options = {}) {
  return logBars(results.weights("empty"), width, {
    ...options,
    format: bytesPerTask,
    from: 4,
    ticks: powers(10, 1000),
    tickFormat: byteTick(width),
  });
}

// Bytes of a server per connection of a kind.
export function connections(results, kind, width, options = {}) {
  const rows = results.weights(kind);
  const most = Math.max(...rows.map((row) => row.value));
  return logBars(rows, width, {
    ...options,
    left: 200,
    format: bytesPerTask,
    from: kind === "http" ? 0.5 : 50,
    ticks: powers(kind === "http" ? 1 : 100, most),
    tickFormat: byteTick(width),
  });
}

const byteTick = (width) => (value) => (width < 480 ? count(value) : `${count(value)} bytes`);

const timeTicks = { format: nanoseconds, tickFormat: (value) => (value >= 1000 ? `${value / 1000} µs` : `${value} ns`) };

export function spawning(results, width, options = {}) {
  return logBars(results.spawning(), width, { ...options, ...timeTicks, from: 1, ticks: powers(10, 10000) });
}

export function awaiting(results, width, options = {}) {
  return logBars(results.awaiting(), width, { ...options, ...timeTicks, from: 1, ticks: powers(10, 1000) });
}

export function churning(results, width, options = {}) {
  return logBars(results.churning(), width, { ...options, ...timeTicks, from: 5, ticks: powers(10, 10000) });
}

// --- resident memory as tasks are added

// Names at the ends of lines, moved apart if they would overlap.
function apart(ends, gap) {
  const placed = [...ends].sort((a, b) => b.at - a.at);
  for (let i = 1; i < placed.length; ++i) placed[i].at = Math.min(placed[i].at, placed[i - 1].at - gap);
  return placed;
}

export function growth(results, width, options = {}) {
  const narrow = width < 480;
  const rows = results.memory().filter((row) => row.n >= 1000);
  if (rows.length === 0) return undefined;
  const height = narrow ? 420 : 460;
  const most = Math.max(...rows.map((row) => row.n));
  const largest = Math.max(...rows.map((row) => row.value));
  const least = Math.min(...rows.map((row) => row.value));
  const domain = [least * 0.8, largest * 1.4];
  const ticks = powers(1e6, 1e12).filter((tick) => tick >= domain[0] && tick <= domain[1]);
  // In steps of the scale, so that a gap is a number of pixels.
  const pixel = Math.log(domain[1] / domain[0]) / (height - 46);
  const ends = results.peers
    .map((peer) => rows.filter((row) => row.peer === peer).at(-1))
    .filter(Boolean)
    .map((row) => ({ ...row, at: Math.log(row.value) }));
  const labels = named(apart(ends, 15 * pixel), 400).map((row) => ({ ...row, y: Math.exp(row.at) }));
  return Plot.plot({
    ...common(width, options),
    height,
    marginLeft: 58,
    marginRight: narrow ? 112 : 150,
    marginTop: 12,
    marginBottom: 34,
    x: { type: "log", domain: [Math.min(...rows.map((row) => row.n)), most], label: null },
    y: { type: "log", domain, label: null },
    marks: [
      Plot.gridY({ ticks, stroke: "var(--grid)", strokeOpacity: 1 }),
      Plot.axisY({ ticks, tickFormat: (value) => memory(value).replace(".0", ""), tickSize: 0, fill: "var(--muted)" }),
      Plot.axisX({ ticks: powers(1e4, 1e7), tickFormat: (value) => (narrow ? shortCount(value) : `${count(value)} tasks`), tickSize: 0, fill: "var(--muted)" }),
      Plot.link(labels, {
        x1: "n",
        y1: "value",
        x2: () => most,
        y2: "y",
        stroke: (row) => colour[row.kind],
        strokeOpacity: 0.35,
        strokeDasharray: "1 3",
        filter: (row) => row.n < most,
      }),
      Plot.line(rows, {
        x: "n",
        y: "value",
        z: "name",
        stroke: (row) => colour[row.kind],
        strokeWidth: (row) => (row.kind === "subject" ? 2.4 : 1.5),
      }),
      Plot.dot(rows, {
        x: "n",
        y: "value",
        r: 2.6,
        fill: (row) => colour[row.kind],
        ...(options.document ? {} : { tip: true, title: (row) => `${row.name}\n${count(row.n)} tasks: ${memory(row.value)}` }),
      }),
      ...texts(labels, { x: () => most, y: "y", text: "label", dx: 10, textAnchor: "start", fontSize: 12 }),
    ],
  });
}

// --- the handler, state by state

export const states = [
  { workload: "handler-at-read", style: "As people write it", state: "waiting for the request" },
  { workload: "handler-at-query", style: "As people write it", state: "waiting for the database" },
  { workload: "trimmed-at-read", style: "Trimmed", state: "waiting for the request" },
  { workload: "trimmed-at-query", style: "Trimmed", state: "waiting for the database" },
];

export function handlerState(results, width, workload, options = {}) {
  const data = named(results.weights(workload), 400);
  const step = width < 440 ? 4000 : 2000;
  const ticks = [0, 1, 2, 3, 4, 5, 6].map((one) => one * step);
  const most = Math.max(...states.flatMap((one) => results.weights(one.workload).map((row) => row.value)));
  return Plot.plot({
    ...common(width, options),
    height: data.length * 23 + 44,
    marginLeft: 132,
    marginRight: 52,
    marginTop: 20,
    marginBottom: 24,
    x: { domain: [0, most], label: null },
    y: noAxis(data, 0.3),
    marks: [
      Plot.gridX({ ticks: ticks.filter((tick) => tick < most), stroke: "var(--grid)", strokeOpacity: 1 }),
      Plot.axisX({ ticks: ticks.filter((tick) => tick < most), tickFormat: (value) => count(value), tickSize: 0, fill: "var(--muted)" }),
      Plot.barX(data, { x: "value", y: "label", fill: (row) => colour[row.kind], rx: 2 }),
      Plot.ruleX([4096], { stroke: "var(--muted)", strokeDasharray: "2 3" }),
      Plot.text([4096], { x: (d) => d, text: () => "its buffer", frameAnchor: "top", dy: -14, fill: "var(--muted)", fontSize: 11 }),
      ...texts(data, {
        x: "value",
        y: "label",
        text: (row) => bytesPerTask(row.value),
        dx: 6,
        textAnchor: "start",
        fontSize: 12,
        stroke: "var(--paper)",
        strokeWidth: 4,
      }),
      ...names(data),
    ],
  });
}

// --- eight awaits deep: from where it waits at the top to where it waits at the leaf

export function nested(results, width, options = {}) {
  const rows = results
    .rows((peer) => results.weight(peer, "nested-at-leaf"))
    .map((row) => ({ ...row, top: results.weight(row.peer, "nested-at-top") }))
    .filter((row) => Number.isFinite(row.top));
  const data = named(rows, width);
  return Plot.plot({
    ...common(width, options),
    height: data.length * rowHeight + 34,
    marginLeft: nameWidth(width),
    marginRight: 64,
    marginTop: 4,
    marginBottom: 30,
    x: { type: "log", domain: [30, Math.max(...data.map((row) => row.value)) * 1.05], label: null },
    y: noAxis(data, 0.28),
    marks: [
      Plot.gridX({ ticks: powers(100, 1000), stroke: "var(--grid)", strokeOpacity: 1 }),
      Plot.axisX({ ticks: powers(100, 1000), tickFormat: byteTick(width), tickSize: 0, fill: "var(--muted)" }),
      Plot.link(data, { x1: "top", x2: "value", y1: "label", y2: "label", stroke: (row) => colour[row.kind], strokeWidth: 4, strokeOpacity: 0.45 }),
      Plot.dot(data, { x: "top", y: "label", r: 5, fill: "var(--paper)", stroke: (row) => colour[row.kind], strokeWidth: 2 }),
      Plot.dot(data, { x: "value", y: "label", r: 5, fill: (row) => colour[row.kind], stroke: (row) => colour[row.kind], strokeWidth: 2 }),
      ...texts(data, { x: "value", y: "label", text: (row) => bytesPerTask(row.value), dx: 12, textAnchor: "start" }),
      ...names(data),
    ],
  });
}
