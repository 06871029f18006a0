// Opens the page over page_bench's cluster in a browser and prints how long it takes to show, and how smooth it stays
// while tasks come and go and it is scrolled. See scripts/bench.
"use strict";

const { spawn } = require("node:child_process");
const puppeteer = require("puppeteer-core");

const options = Object.fromEntries(process.argv.slice(2).map((arg) => arg.replace(/^--/, "").split(/=(.*)/s)));
const kLooked = 5000; // ms
const ms = (n) => n.toFixed(1).padStart(9);

(async () => {
  const server = spawn(options.server, [`--agents=${options.agents}`, `--tasks=${options.tasks}`, `--changes=${options.changes}`], { stdio: ["pipe", "pipe", "inherit"] });
  const browser = await puppeteer.launch({
    executablePath: options.browser,
    userDataDir: options.profile,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
  try {
    const said = await new Promise((resolve) => server.stdout.once("data", (data) => resolve(String(data))));
    const page = await browser.newPage();
    await page.setViewport({ width: 1320, height: 860 });
    const began = Date.now();
    await page.goto(`http://127.0.0.1:${said.match(/\d+/)[0]}/#/tasks`);
    await page.waitForFunction(() => document.getElementById("live")?.textContent === "live", { timeout: 120000 });
    const loaded = Date.now() - began;
    const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN);
    const frames = async (view, scroll) => {
      const times = await page.evaluate(
        (to, scrolls, looked) =>
          new Promise((resolve) => {
            location.hash = to;
            const seen = [];
            let last;
            const end = performance.now() + looked;
            const frame = (now) => {
              if (last !== undefined) seen.push(now - last);
              last = now;
              if (scrolls) scrollBy(0, 60);
              if (now < end) requestAnimationFrame(frame);
              else resolve(seen);
            };
            requestAnimationFrame(frame);
          }),
        view, scroll, kLooked);
      times.sort((a, b) => a - b);
      const at = (part) => times[Math.min(times.length - 1, Math.floor(times.length * part))];
      console.log(`frames, ${(view + (scroll ? ", scrolled" : "")).padEnd(22)}${ms(at(0.5))}${ms(at(0.9))}${ms(at(0.99))}${ms(times.at(-1))}`);
    };
    console.log(`${options.agents} agents, ${options.tasks} running tasks, ${options.changes} of them end and start a second`);
    console.log(`first paint ${paint.toFixed(0)} ms; all loaded and live after ${loaded} ms`);
    console.log("milliseconds                        p50      p90      p99    worst");
    for (const view of ["#/", "#/tasks", "#/agents"]) {
      await frames(view, false);
      if (view !== "#/") await frames(view, true);
    }
  } finally {
    await browser.close();
    server.stdin.end();
  }
})().catch((error) => {
  console.error(`page_bench: ${error.message}`);
  process.exit(1);
});
