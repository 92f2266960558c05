// Makes the pages of tare frames and tare live without anything in them, each one file that needs no network:
//
//   node build.mjs build/release/cli

import { build } from "esbuild";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const [folder] = process.argv.slice(2);
if (!folder) {
  console.error("usage: node build.mjs FOLDER");
  process.exit(2);
}
const here = new URL(".", import.meta.url);
const bundle = async (file, more) => {
  const made = await build({ entryPoints: [new URL(file, here).pathname], bundle: true, minify: true, write: false, legalComments: "inline", ...more });
  return made.outputFiles[0].text;
};
for (const name of ["frames", "live"]) {
  const script = await bundle(`src/${name}/page.mjs`, { format: "iife", target: "es2022" });
  const style = await bundle(`src/${name}/page.css`);
  const page = (await readFile(new URL(`src/${name}/page.html`, here), "utf8"))
    .replace("/*@STYLE@*/", () => style)
    .replace("/*@SCRIPT@*/", () => script.replaceAll("</script", "<\\/script"));
  await writeFile(join(folder, `${name}_page.html`), page);
}
