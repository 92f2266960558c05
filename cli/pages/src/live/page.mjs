// What a process's suspended coroutines take: the figures, the chart of who waits for whom, and a table that can be
// sorted and searched, in which a place opens to those that wait for it.

import { actingRow, data, element, findIn, number, place } from "../page.mjs";
import { drawStacks } from "./stacks.mjs";
import { waitersFor } from "./waiters.mjs";

const { sites } = data;
const megabytes = (n) => (n < 1e6 ? `${number(n)} bytes` : `${(n / 1e6).toFixed(1)} MB`);
const percent = (part, whole) => (whole === 0 ? "?" : `${((100 * part) / whole).toFixed(1)} %`);
const seconds = (s) => (s < 1 ? `${(s * 1e3).toFixed(0)} ms` : `${s.toFixed(1)} s`);
const state = (site) => (site.half_built ? "half-built" : site.merged ? "merged" : { initial: "not started", final: "ended" }[site.suspension] ?? "");
const process = `${data.command.split("/").at(-1)} (process ${data.pid})`;

document.title = `tare live: ${process}`;
document.getElementById("headline").textContent =
  data.frames === 0 ? `No suspended coroutine in ${process}` : `${megabytes(data.frame_bytes)} of ${process} are ${number(data.frames)} suspended frames`;
document.getElementById("notes").textContent = data.notes.join(" ");
for (const [name, value] of [
  ["in memory", data.rss_bytes === 0 ? "" : megabytes(data.rss_bytes)],
  ["of it frames", data.rss_bytes === 0 ? "" : percent(data.frame_bytes, data.rss_bytes)],
  ["suspension points", number(sites.length)],
  ["stopped for", data.paused_seconds === 0 ? "" : seconds(data.paused_seconds)],
  ["looked through", `${megabytes(data.scanned_bytes)} in ${seconds(data.seconds)}`],
  ["not started", data.not_started === 0 ? "" : `${number(data.not_started)} frames`],
  ["half-built", data.half_built === 0 ? "" : `${number(data.half_built)} frames`],
  ["freed, left out", data.freed === 0 ? "" : `${number(data.freed)} frames`],
  ["perhaps freed", data.uncertain === 0 ? "" : `${number(data.uncertain)} frames`],
]) {
  if (value) document.getElementById("figures").append(element("div", {}, element("dt", {}, name), element("dd", {}, value)));
}

drawStacks(document.getElementById("chart"), data);
if (data.stacks.length === 0) document.getElementById("stacks").remove();

function waiterList(steps) {
  const list = element("ul");
  for (const one of steps) {
    const who = one.site === null ? "no coroutine waits for these" : `${sites[one.site].function} at ${place(sites[one.site])}`;
    list.append(element("li", {}, `${who}: ${number(one.count)} frames, ${number(one.bytes)} bytes`, ...(one.above.length > 0 ? [waiterList(one.above)] : [])));
  }
  return list;
}

/// Opens a place to those that wait for it, or closes it.
function toggle(row, index) {
  if (row.nextSibling?.className === "waiters") return row.nextSibling.remove();
  const steps = waitersFor(data, index);
  row.after(element("tr", { className: "waiters" }, element("td", { colSpan: 5 }, element("span", { className: "muted" }, "waited for by"), waiterList(steps))));
}

const columns = [
  { title: "suspended in", value: (site) => site.function },
  { title: "count", value: (site) => site.count },
  { title: "bytes each", value: (site) => site.frame_bytes },
  { title: "bytes", value: (site) => site.total_bytes },
  { title: "share", value: (site) => site.total_bytes },
];
const rows = sites.map((site, index) => {
  const row = actingRow(() => toggle(row, index));
  const about = [site.line === null ? "" : `${site.file}:${site.line}`, state(site), site.uncertain > 0 ? `${number(site.uncertain)} perhaps freed` : ""];
  row.append(
    element("td", {}, site.function, element("small", {}, about.filter(Boolean).join(", "))),
    ...[number(site.count), number(site.frame_bytes), number(site.total_bytes), percent(site.total_bytes, data.frame_bytes)].map((text) => element("td", {}, text)),
  );
  return row;
});
const body = document.querySelector("#list tbody");

/// Names from A on, figures from the largest on; the other way round when it is asked for again.
function sortBy(column, head) {
  const byName = column.title === columns[0].title;
  const again = head.ariaSort === (byName ? "ascending" : "descending");
  const order = sites.map((_, index) => index);
  const compare = (a, b) => (byName ? a.localeCompare(b) : (b ?? -1) - (a ?? -1));
  order.sort((a, b) => (again ? -1 : 1) * compare(column.value(sites[a]), column.value(sites[b])) || a - b);
  document.querySelectorAll(".waiters").forEach((row) => row.remove());
  body.append(...order.map((index) => rows[index]));
  document.querySelectorAll("th").forEach((one) => one.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", byName !== again ? "ascending" : "descending");
}
const heads = columns.map((column) => {
  const head = element("th", { scope: "col" });
  head.append(element("button", { type: "button", onclick: () => sortBy(column, head) }, column.title));
  return head;
});
document.querySelector("#list thead tr").append(...heads);
sortBy(columns[3], heads[3]);
findIn(rows, sites.map((site) => `${site.function} ${site.file}`));
document.getElementById("find").addEventListener("input", () => document.querySelectorAll(".waiters").forEach((row) => row.remove()));
