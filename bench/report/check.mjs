// Opens a page of tare race in headless Chromium, in the widths of a desktop and a phone, light and dark. Fails if the
// page prints anything to its console, if a chart is missing, or if a chart is wider than the window. Saves
// screenshots.
//
//   npm run check -- PAGE [FOLDER]

import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [page, folder = "../../build/report/pictures"] = process.argv.slice(2);
if (!page) {
  console.error("usage: npm run check -- PAGE [FOLDER]");
  process.exit(2);
}
await mkdir(folder, { recursive: true });

// The browser, and a connection to one page of it. Two pipes carry the messages, each ended by a zero.
class Browser {
  static async start() {
    const profile = await mkdtemp(join(tmpdir(), "tare-report-"));
    const child = spawn(
      process.env.CHROMIUM ?? "chromium",
      ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--hide-scrollbars", `--user-data-dir=${profile}`, "--remote-debugging-pipe"],
      { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] },
    );
    const browser = new Browser();
    Object.assign(browser, { child, profile, next: 1, waiting: new Map(), complaints: [] });
    child.on("error", (error) => browser.fail(new Error(`cannot start chromium (apt-get install chromium): ${error.message}`)));
    child.on("exit", () => browser.fail(new Error("chromium has ended")));
    let rest = "";
    child.stdio[4].setEncoding("utf8").on("data", (piece) => {
      const messages = (rest + piece).split("\0");
      rest = messages.pop();
      messages.forEach((text) => browser.take(JSON.parse(text)));
    });
    const { targetId } = await browser.call("Target.createTarget", { url: "about:blank" });
    browser.session = (await browser.call("Target.attachToTarget", { targetId, flatten: true })).sessionId;
    await browser.call("Runtime.enable");
    await browser.call("Log.enable");
    await browser.call("Page.enable");
    return browser;
  }

  fail(error) {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }

  take(message) {
    if (message.id) {
      const { resolve: done, reject } = this.waiting.get(message.id) ?? {};
      this.waiting.delete(message.id);
      if (message.error) reject?.(new Error(message.error.message));
      else done?.(message.result);
    } else if (message.method === "Runtime.consoleAPICalled") {
      this.complaints.push(message.params.args.map((one) => one.value ?? one.description).join(" "));
    } else if (message.method === "Runtime.exceptionThrown") {
      this.complaints.push(message.params.exceptionDetails.exception?.description ?? message.params.exceptionDetails.text);
    } else if (message.method === "Log.entryAdded") {
      this.complaints.push(message.params.entry.text);
    } else if (message.method === "Page.loadEventFired") {
      this.loaded?.();
    }
  }

  call(method, params = {}) {
    const id = this.next++;
    return new Promise((done, reject) => {
      this.waiting.set(id, { resolve: done, reject });
      this.child.stdio[3].write(JSON.stringify({ id, method, params, sessionId: this.session }) + "\0");
    });
  }

  async value(expression) {
    return (await this.call("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true })).result.value;
  }

  async close() {
    this.child.removeAllListeners("exit");
    const ended = new Promise((done) => this.child.on("exit", done));
    this.child.kill();
    await ended;
    await rm(this.profile, { recursive: true, force: true });
  }
}

const views = [
  { name: "desk", width: 1200, height: 900, mobile: false },
  { name: "phone", width: 390, height: 844, mobile: true },
];
let wrong = 0;
const browser = await Browser.start();
try {
  for (const view of views) {
    for (const theme of ["light", "dark"]) {
      const name = `${view.name}-${theme}`;
      browser.complaints.length = 0;
      await browser.call("Emulation.setDeviceMetricsOverride", { width: view.width, height: view.height, deviceScaleFactor: view.mobile ? 2 : 1, mobile: view.mobile });
      await browser.call("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: theme }] });
      const loaded = new Promise((done) => (browser.loaded = done));
      await browser.call("Page.navigate", { url: pathToFileURL(resolve(page)).href });
      await loaded;
      await browser.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
      const seen = await browser.value(`({
        charts: document.querySelectorAll("[data-chart] svg, [data-state] svg").length,
        empty: [...document.querySelectorAll("[data-chart], [data-state]")].filter((one) => one.offsetParent && !one.querySelector("svg")).length,
        wide: document.documentElement.scrollWidth - window.innerWidth,
      })`);
      const problems = [...browser.complaints];
      if (seen.charts === 0 || seen.empty > 0) problems.push(`${seen.charts} charts, ${seen.empty} missing`);
      if (seen.wide > 0) problems.push(`${seen.wide} pixels too wide`);
      const { data } = await browser.call("Page.captureScreenshot", { captureBeyondViewport: true });
      await writeFile(join(folder, `${name}.png`), Buffer.from(data, "base64"));
      console.log(`${name}: ${problems.length === 0 ? `${seen.charts} charts, nothing on the console` : problems.join("; ")}`);
      wrong += problems.length;
    }
  }
} finally {
  await browser.close();
}
process.exit(wrong === 0 ? 0 : 1);
