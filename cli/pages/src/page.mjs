// What the pages have in common.

/// What the command has written into the page.
export const data = JSON.parse(document.getElementById("data").textContent);

export const dark = matchMedia("(prefers-color-scheme: dark)").matches;
export const palette = ["#c2410c", "#5f7589", "#8a6d3b", "#4d7c5a", "#7a5c86", "#356c8f"];

export const number = (n) => (n === null ? "?" : n.toLocaleString("en"));
export const base = (file) => (file ?? "?").split("/").at(-1);
export const place = (at) => (at.line === null ? "?" : `${base(at.file)}:${at.line}`);
export const escaped = (text) => text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);

/// An element with text in it; text never becomes markup.
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/// Rows that are shown only if they have the text that is looked for.
export function findIn(rows, texts) {
  const lower = texts.map((text) => text.toLowerCase());
  document.getElementById("find").oninput = (event) => {
    const wanted = event.target.value.toLowerCase();
    rows.forEach((row, index) => (row.hidden = !lower[index].includes(wanted)));
  };
}

/// A row that acts when it is clicked on, or Enter is pressed on it.
export function actingRow(act) {
  const row = element("tr", { tabIndex: 0, onclick: act });
  row.onkeydown = (event) => event.key === "Enter" && act();
  return row;
}
