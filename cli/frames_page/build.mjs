// Makes the page without coroutines, in one file that needs no network:
//
//   node build.mjs build/release/cli/frames_page.html

import { build } from "esbuild";
import { readFile, writeFile } from "node:fs/promises";

const [target] = process.argv.slice(2);
if (!target) {
  console.error("usage: node build.mjs FILE");
  process.exit(2);
}
const here = new URL(".", import.meta.url);
const bundle = (file, more) =>
  build({ entryPoints: [new URL(file, here).pathname], minify: true, write: false, legalComments: "inline", ...more });
const script = await bundle("src/page.mjs", { bundle: true, format: "iife", target: "es2022" });
const style = await bundle("src/page.css");
const page = (await readFile(new URL("src/page.html", here), "utf8"))
  .replace("/*@STYLE@*/", () => style.outputFiles[0].text)
  .replace("/*@SCRIPT@*/", () => script.outputFiles[0].text.replaceAll("</script", "<\\/script"));
await writeFile(target, page);
