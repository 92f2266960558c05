// The page: inserts the results, and draws the charts again when the width changes.

import * as charts from "./charts.mjs";
import { Results, bytesPerTask, count, memory, nanoseconds } from "./data.mjs";

const results = new Results(JSON.parse(document.getElementById("results").textContent));
const { json } = results;

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function times(ratio) {
  return ratio < 10 ? ratio.toFixed(1) : Math.round(ratio).toString();
}

// --- the head

function headline() {
  const ours = results.subject;
  const asleep = ours && results.weight(ours, "empty");
  if (!asleep) return "What a suspended task weighs";
  return `A sleeping task takes ${bytesPerTask(asleep)} bytes in ${ours.title}`;
}

function standfirst() {
  const ours = results.subject;
  const asleep = ours && results.weight(ours, "empty");
  if (!asleep) return "";
  const others = ["tokio", "go", "node", "asyncio"]
    .map((name) => json.peers.find((peer) => peer.name === name))
    .filter((peer) => peer && results.weight(peer, "empty") > asleep)
    .map((peer) => `${times(results.weight(peer, "empty") / asleep)} times as much in ${peer.title}`);
  return others.length > 0 ? `and ${others.join(", ")}. The same work on every runtime, in one run on one machine.` : "";
}

document.title = `${headline()}: race of ${json.date}`;
document.getElementById("headline").textContent = headline();
document.getElementById("standfirst").textContent = standfirst();
document.getElementById("facts").append(
  ...[
    ["Date", json.date],
    ["Machine", `${json.machine.cpu}, ${json.machine.cores} cores`],
    ["Kernel", json.machine.kernel],
    ["Huge pages", json.machine.transparent_huge_pages],
    ["Commit", json.commit || "unknown"],
    ["Repeats", json.quick ? `${json.repeats}, quick` : `${json.repeats}, medians`],
  ].flatMap(([key, value]) => [element("dt", {}, key), element("dd", {}, String(value))]),
);

// --- the charts

const handler = document.getElementById("handler");
for (const one of charts.states) {
  handler.append(
    element(
      "figure",
      {},
      element("figcaption", {}, element("strong", {}, one.style), `, ${one.state}`),
      element("div", { "data-state": one.workload }),
    ),
  );
}

function draw(place) {
  const width = Math.floor(place.clientWidth);
  if (width === 0 || place.dataset.drawn === String(width)) return;
  place.dataset.drawn = String(width);
  const chart = place.dataset.state
    ? charts.handlerState(results, width, place.dataset.state)
    : charts[place.dataset.chart](results, width);
  place.replaceChildren(...(chart ? [chart] : []));
}

function hasData(place) {
  const rows = {
    asleep: () => results.weights("empty"),
    growth: () => results.memory(),
    spawning: () => results.spawning(),
    awaiting: () => results.awaiting(),
    churning: () => results.churning(),
    nested: () => results.weights("nested-at-leaf"),
  };
  return (place.dataset.state ? results.weights(place.dataset.state) : rows[place.dataset.chart]()).length > 0;
}

const observer = new ResizeObserver((changes) => changes.forEach((change) => draw(change.target)));
for (const place of document.querySelectorAll("[data-chart], [data-state]")) {
  if (hasData(place)) {
    draw(place);
    observer.observe(place);
  } else {
    (place.closest("figure") ?? place.closest("section")).hidden = true;
  }
}
for (const section of document.querySelectorAll("section")) {
  const figures = [...section.querySelectorAll("figure")];
  if (figures.length > 0 && figures.every((figure) => figure.hidden)) section.hidden = true;
}

// --- the tables

function table(head, rows) {
  const filled = head.map((_, column) => column === 0 || rows.some((row) => row[column] !== ""));
  const cells = (row, name) => row.filter((_, column) => filled[column]).map((cell) => element(name, {}, cell));
  return element(
    "div",
    { class: "scroll", tabindex: "0" },
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...cells(head, "th"))),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells(row, "td")))),
    ),
  );
}

function weightCell(peer, workload) {
  const entry = results.entry(peer, workload);
  if (entry?.failed) return "failed";
  return Number.isFinite(entry?.slope_bytes) ? bytesPerTask(entry.slope_bytes) : "";
}

function churnRows() {
  return results.peers.flatMap((peer) => {
    const points = results.entry(peer, "churn")?.points ?? [];
    if (points.length < 2 || points[0].n !== 0) return [];
    const [before, after] = [points[0], points.at(-1)];
    const change = Math.round((after.rss_bytes / before.rss_bytes - 1) * 100);
    return [
      [peer.title, count(after.n), nanoseconds((after.reported.seconds * 1e9) / after.n), memory(before.rss_bytes), memory(after.peak_bytes), memory(after.rss_bytes), `${change > 0 ? "+" : ""}${change} %`],
    ];
  });
}

document.getElementById("weights").append(
  table(
    ["bytes per task", "version", "asleep", "at read", "at query", "trimmed, at read", "at query", "deep, at leaf", "at top"],
    results.peers.map((peer) => [
      peer.title,
      peer.version,
      ...["empty", "handler-at-read", "handler-at-query", "trimmed-at-read", "trimmed-at-query", "nested-at-leaf", "nested-at-top"].map((workload) => weightCell(peer, workload)),
    ]),
  ),
);
const churned = churnRows();
if (churned.length > 0) {
  document.getElementById("churned").append(table(["churn", "tasks", "each", "RSS before", "peak", "RSS after", "change"], churned));
}

const notes = [
  ...results.missing.map((peer) => `${peer.title}: ${peer.failed ? `failed: ${peer.failed}` : `omitted: ${peer.absent}`}`),
  ...json.results.flatMap((one) => {
    const title = json.peers.find((peer) => peer.name === one.peer)?.title ?? one.peer;
    return [
      ...(one.failed ? [`${title} in ${one.workload}: failed: ${one.failed}`] : []),
      ...(one.notes ?? []).map((note) => `${title} in ${one.workload}: ${note}`),
    ];
  }),
];
if (notes.length > 0) {
  document.getElementById("notes").append(...notes.map((note) => element("li", {}, note)));
} else {
  document.getElementById("left-out").hidden = true;
}
