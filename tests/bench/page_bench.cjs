// Opens a master's page in a browser and prints how soon it shows, how smooth it stays while the cluster changes and
// somebody scrolls and searches, and what it costs. See tests/bench/page.sh.
"use strict";

const { launch, options } = require("../web/browser.cjs");

const kLooked = 5000; // ms
const kWords = ["1", "12", "123", "host12", "host123", "simulation 4", ""]; // typed one after the other
const ms = (n) => n.toFixed(1).padStart(9);

(async () => {
  const browser = await launch("--enable-precise-memory-info");
  try {
    const page = await browser.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    await page.setViewport({ width: 1320, height: 860 });
    const network = await page.createCDPSession();
    let bytes = 0; // of all that was loaded, most of it the stream
    network.on("Network.dataReceived", (data) => (bytes += data.dataLength));
    await network.send("Network.enable");
    // Frames are counted from the first moment on, also those of loading.
    await page.evaluateOnNewDocument(() => {
      window.bench = { frames: [], live: 0 };
      let last;
      const frame = (now) => {
        if (last !== undefined) window.bench.frames.push(now - last);
        last = now;
        if (!window.bench.live && document.getElementById("live")?.textContent === "live") window.bench.live = performance.now();
        requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    });

    const row = (what, times) => {
      const sorted = times.toSorted((a, b) => a - b);
      const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
      console.log(`${what.padEnd(40)} ${String(sorted.length).padStart(6)}${ms(at(0.5))}${ms(at(0.95))}${ms(at(0.99))}${ms(sorted.at(-1))}`);
    };
    const taken = () => page.evaluate(() => window.bench.frames.splice(0));
    const looked = async (what, view, act) => {
      await page.evaluate((to) => (location.hash = to), view);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      await taken();
      const before = bytes;
      await page.evaluate(act, kLooked, kWords);
      row(what, await taken());
      return bytes - before;
    };
    const nothing = (time) => new Promise((resolve) => setTimeout(resolve, time));
    const scroll = (time) =>
      new Promise((resolve) => {
        const end = performance.now() + time;
        let down = 60;
        const step = (now) => {
          if (scrollY + innerHeight >= document.documentElement.scrollHeight - 1) down = -60;
          if (scrollY === 0) down = 60;
          scrollBy(0, down);
          if (now < end) requestAnimationFrame(step);
          else resolve();
        };
        requestAnimationFrame(step);
      });
    const search = async (time, words) => {
      const input = document.querySelector("input[type=search]");
      for (const word of words) {
        input.value = word;
        input.dispatchEvent(new Event("input", { bubbles: true }));
        await new Promise((resolve) => setTimeout(resolve, time / words.length));
      }
    };

    await page.goto(`${options.url}/#/tasks`, { waitUntil: "domcontentloaded" });
    await page.waitForFunction(() => window.bench.live > 0, { timeout: 120000 });
    const { paint, live } = await page.evaluate(() => ({
      paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN,
      live: window.bench.live,
    }));
    const snapshot = bytes;
    const loading = await taken();
    console.log(`first paint after ${paint.toFixed(0)} ms; the table is live after ${live.toFixed(0)} ms and ${(snapshot / 1e6).toFixed(1)} MB`);
    console.log(`${"frames, milliseconds".padEnd(40)}   many      p50      p95      p99    worst`);
    row("while all of it is loaded", loading);
    let stream = 0;
    stream += await looked("overview", "#/", nothing);
    stream += await looked("tasks", "#/tasks", nothing);
    stream += await looked("tasks, scrolled", "#/tasks", scroll);
    stream += await looked("tasks, searched", "#/tasks", search);
    stream += await looked("agents", "#/agents", nothing);
    stream += await looked("agents, scrolled", "#/agents", scroll);
    await network.send("HeapProfiler.collectGarbage");
    const heap = (await page.metrics()).JSHeapUsedSize;
    console.log(`the stream afterwards: ${(stream / (6 * kLooked)).toFixed(0)} kB/s; the page's heap: ${(heap / 1e6).toFixed(0)} MB`);
    if (errors.length) throw new Error(errors.join("; "));
  } finally {
    await browser.close();
  }
})().catch((error) => {
  console.error(`page_bench: ${error.message}`);
  process.exit(1);
});
