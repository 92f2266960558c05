// Builds ../../build/report/page.html: the page without results, in one file that needs no network.

import { build } from "esbuild";
import { mkdir, readFile, writeFile } from "node:fs/promises";

const here = new URL(".", import.meta.url);
const target = new URL("../../build/report/", here);

const bundled = await build({
  entryPoints: [new URL("src/page.mjs", here).pathname],
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  legalComments: "inline",
  write: false,
});
const style = await build({ entryPoints: [new URL("src/page.css", here).pathname], minify: true, write: false });

const script = bundled.outputFiles[0].text.replaceAll("</script", "<\\/script");
const page = (await readFile(new URL("src/page.html", here), "utf8"))
  .replace("/*@STYLE@*/", () => style.outputFiles[0].text)
  .replace("/*@SCRIPT@*/", () => script);
await mkdir(target, { recursive: true });
await writeFile(new URL("page.html", target), page);
console.log(`page.html: ${Math.round(page.length / 1000)} kB`);
