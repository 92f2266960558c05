// The chart of who waits for whom: a bar for each node of the tree, below the one that waits for it.

import { CustomChart } from "echarts/charts";
import { TooltipComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { dark, escaped, number, palette, place } from "../page.mjs";

use([CustomChart, TooltipComponent, SVGRenderer]);

const barHeight = 24;
const deepest = 40;

/// The same function has the same colour everywhere.
function colour(text) {
  let hash = 0;
  for (const c of text) hash = (hash * 31 + c.codePointAt(0)) >>> 0;
  return palette[hash % palette.length];
}

/// The nodes of the tree, below one that stands for the whole process, the heaviest first.
function treeOf({ sites, stacks, frame_bytes: all }) {
  const root = { name: "all frames", at: "", bytes: all, below: [], parent: null };
  const nodes = stacks.map(({ site, bytes_with_below: bytes, bytes: own, count }) => ({ name: sites[site].function, at: place(sites[site]), bytes, own, count, below: [] }));
  nodes.forEach((node, index) => {
    const { parent } = stacks[index];
    node.parent = parent === null ? root : nodes[parent];
    node.parent.below.push(node);
  });
  for (const { below } of [root, ...nodes]) below.sort((a, b) => b.bytes - a.bytes);
  root.bytes = Math.max(all, root.below.reduce((sum, node) => sum + node.bytes, 0));
  return root;
}

/// The bars that are shown when one of them has the whole width: those above it, itself, and what is below. In parts of
/// the width; those that would be narrower than `least` are left out.
function barsOf(focus, least) {
  const bars = [];
  const above = [];
  for (let node = focus.parent; node; node = node.parent) above.unshift(node);
  above.forEach((node, level) => bars.push({ node, level, from: 0, width: 1, above: true }));
  let row = [{ node: focus, level: above.length, from: 0, width: 1 }];
  while (row.length > 0 && row[0].level < above.length + deepest) {
    bars.push(...row);
    row = row.flatMap(({ node, level, from, width }) => {
      let at = from;
      // What is below may be told with more bytes than the node has in all: then it shares the width.
      const whole = Math.max(node.bytes, node.below.reduce((sum, one) => sum + one.bytes, 0));
      return node.below.map((one) => {
        const its = whole === 0 ? 0 : (width * one.bytes) / whole;
        at += its;
        return { node: one, level: level + 1, from: at - its, width: its };
      });
    }).filter(({ width }) => width >= least);
  }
  return bars;
}

/// Draws the chart into an element.
export function drawStacks(element, data) {
  if (data.stacks.length === 0) return;
  const root = treeOf(data);
  let focus = root;
  let bars = [];
  const chart = init(element, null, { renderer: "svg", height: barHeight });
  const renderItem = (_, api) => {
    const { node, level, from, width, above } = bars[api.value(0)];
    const x = from * api.getWidth();
    const room = Math.max(width * api.getWidth() - 1, 1);
    return {
      type: "rect",
      shape: { x, y: level * barHeight, width: room, height: barHeight - 1 },
      style: { fill: node === root ? "#6d7178" : colour(node.name), opacity: above ? 0.55 : 1 },
      textContent: {
        style: { text: room < 30 ? "" : `${node.name}  ${number(node.bytes)}`, fill: "#ffffff", fontSize: 12, fontFamily: "system-ui, sans-serif", width: room - 8, overflow: "truncate", ellipsis: "…" },
      },
      textConfig: { position: "insideLeft", distance: 4 },
    };
  };
  const draw = () => {
    bars = barsOf(focus, 1 / Math.max(element.clientWidth, 1));
    chart.setOption({
      animation: false,
      tooltip: {
        confine: true,
        backgroundColor: dark ? "#1b1e22" : "#ffffff",
        textStyle: { color: dark ? "#e4e4e1" : "#23262b" },
        extraCssText: "max-width: min(40rem, 90vw); white-space: normal; overflow-wrap: anywhere",
        formatter: ({ dataIndex }) => {
          const { name, at, bytes, own, count } = bars[dataIndex].node;
          const figures = count === undefined ? `${number(bytes)} bytes` : `${number(count)} frames, ${number(own)} bytes<br>${number(bytes)} bytes with what is below`;
          return `${escaped(name)}${at ? `<br>${escaped(at)}` : ""}<br>${figures}`;
        },
      },
      series: [{ type: "custom", coordinateSystem: "none", renderItem, data: bars.map((_, index) => [index]) }],
    });
    // Draws again what it has, so it has to have the bars of now.
    chart.resize({ width: element.clientWidth, height: barHeight * (Math.max(...bars.map(({ level }) => level)) + 1) });
  };
  chart.on("click", ({ dataIndex }) => {
    focus = bars[dataIndex].node;
    chart.dispatchAction({ type: "hideTip" });
    draw();
  });
  addEventListener("resize", draw);
  draw();
}
