// Looks at the page as an operator does. Started by page_test.sh; prints TAP. Waits for what should appear, with a bound,
// never for time alone.
"use strict";

const { execFileSync, spawn } = require("node:child_process");
const fs = require("node:fs");
const { allHeld, check, expect, fail, kPatience, launch, options } = require("./browser.cjs");

const started = [];
function stoa(...args) {
  const child = spawn(options.stoa, [`--dir=${options.dir}`, ...args], { stdio: "ignore" });
  started.push(child);
  return new Promise((resolve) => child.on("exit", resolve));
}
const ask = (...args) => JSON.parse(execFileSync(options.stoa, [`--dir=${options.dir}`, "--json", ...args], { encoding: "utf8" }));
const cluster = () => JSON.parse(fs.readFileSync(`${options.dir}/cluster.json`, "utf8"));

async function leader() {
  for (const one of cluster().processes.filter((p) => /^master/.test(p.name))) {
    const port = one.argv.find((a) => /^--port=/.test(a)).split("=")[1];
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/metrics/snapshot`);
      if ((await answer.json())["master/elected"] === 1) return { ...one, url: `http://127.0.0.1:${port}` };
    } catch {
      // dead, or not up yet
    }
  }
  throw new Error("no master leads");
}

(async () => {
  const browser = await launch();
  const page = await browser.newPage();
  await page.setViewport({ width: 1320, height: 860 });
  const requests = [];
  const errors = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", (error) => errors.push(String(error)));
  // A master that was killed can't be reached: the browser notes that by itself, which is no error of the page's.
  page.on("console", (line) => line.type() === "error" && !/ERR_CONNECTION|ERR_INCOMPLETE_CHUNKED/.test(line.text()) && errors.push(line.text()));
  const sees = (selector, text) =>
    page.waitForFunction((s, t) => [...document.querySelectorAll(s)].some((e) => e.textContent.includes(t)), { timeout: kPatience }, selector, text);
  const shot = (name) => page.screenshot({ path: `${options.screenshots}/${name}.png` });

  const first = await leader();
  await check("the page loads and is live", async () => {
    await page.goto(`${first.url}/`);
    await sees("#live", "live");
    await page.waitForFunction(() => document.getElementById("live").textContent === "live", { timeout: kPatience });
    await sees(".card", "2 agents");
  });
  await check("its content security policy is strict", async () => {
    const policy = (await fetch(`${first.url}/`)).headers.get("content-security-policy");
    expect(/default-src 'none'/.test(policy) && !/unsafe|\*/.test(policy), policy);
  });

  const hostile = "<script>document.title='owned'</script>\u202enext";
  const loaded = requests.length;
  const run = stoa("run", `--name=${hostile}`, "--", "sh", "-c", "echo first line; echo '<b>bold</b>'; sleep 300");
  await check("a task that starts appears without a reload", async () => {
    await sees("#running", "1");
    await page.evaluate(() => (location.hash = "#/tasks"));
    await sees("tbody td", "<script>document.title=");
  });
  await check("after the load the only request is the stream", async () => {
    const stream = requests.filter((url) => url.endsWith("/api/stoa/events"));
    expect(stream.length === 1 && requests.length === loaded, requests.join("\n"));
  });
  await check("a hostile name is shown as text, its controls made visible", async () => {
    await sees("tbody td", "\\u202enext");
    expect((await page.title()) === "Stoa", await page.title());
  });
  await check("the search finds it, and finds nothing else", async () => {
    await page.type("input[type=search]", "no such task");
    await sees("tr.none", "No task matches.");
    await page.evaluate(() => (location.hash = "#/tasks"));
    await sees("tbody td a", "run");
  });
  await shot("tasks");
  await check("its log is shown while it runs", async () => {
    await page.evaluate(() => [...document.querySelectorAll("tbody tr.opens")].find((row) => row.textContent.includes("running")).click());
    await sees("pre.log", "first line\n<b>bold</b>");
    await sees(".history", "running");
  });
  await shot("task");
  await check("it is killed after a confirmation, and not before", async () => {
    await page.click("#kill");
    await page.waitForSelector("dialog[open]", { timeout: kPatience });
    expect(ask("tasks").tasks.some((t) => t.state === "TASK_RUNNING"), "it ended before the confirmation");
    await page.click("#kill-sure");
    await sees(".history .state", "killed");
    expect((await run) !== 0, "stoa run ended with 0");
  });
  for (const view of ["agents", "frameworks", "jobs"]) {
    await check(`the ${view} are shown`, async () => {
      await page.evaluate((to) => (location.hash = `#/${to}`), view);
      await sees("h1", view[0].toUpperCase() + view.slice(1));
      if (view === "agents") await page.waitForFunction(() => document.querySelectorAll("tbody tr.opens").length === 2, { timeout: kPatience });
      if (view === "frameworks") await sees("tbody td", "batch");
      if (view === "jobs") {
        await stoa("submit", "--name=from-the-page", "--", "true");
        await sees("tbody td", "from-the-page");
      }
    });
    await shot(view);
  }
  await check("when the leader is killed the page says so, and goes to the next", async () => {
    await page.evaluate(() => (location.hash = "#/"));
    await sees("h2", "Leader");
    process.kill(first.pid, "SIGKILL");
    await sees("#live", "not live");
    await page.waitForFunction(
      (dead) => location.origin !== dead && document.getElementById("live")?.textContent === "live",
      { timeout: 60000, polling: 200 }, first.url);
    await sees(".card", "2 agents");
  });
  await check("both light and dark are there", async () => {
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);
    await page.reload();
    await sees(".card", "2 agents");
    const light = await ground();
    await shot("overview-light");
    await page.click(".theme");
    await page.waitForFunction(() => document.documentElement.dataset.theme === "dark", { timeout: kPatience });
    await sees(".card", "2 agents");
    expect((await ground()) !== light, "the same ground in both");
    await shot("overview-dark");
  });
  await check("no errors in the console", async () => expect(errors.length === 0, errors.join("\n")));
  await browser.close();
})()
  .catch((error) => fail("the test runs to its end", error))
  .finally(() => {
    for (const child of started) child.kill("SIGKILL");
    process.exit(allHeld() ? 0 : 1);
  });
