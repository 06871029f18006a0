// The page of a cluster that asks who one is, as an operator's browser meets it. Started by page_test.sh; prints TAP.
"use strict";

const { spawn } = require("node:child_process");
const { allHeld, check, expect, kPatience, launch, options } = require("./browser.cjs");

(async () => {
  const browser = await launch();
  const errors = [];
  const open = async () => {
    const page = await browser.newPage();
    page.on("pageerror", (error) => errors.push(String(error)));
    return page;
  };
  const stranger = await open();
  await check("a browser that names nobody gets nothing", async () => {
    await stranger.authenticate({ username: "operator", password: "guessed" });
    const answer = await stranger.goto(options.master);
    expect(answer.status() === 401, `${answer.status()}`);
  });

  const page = await open();
  const sees = (selector, text) =>
    page.waitForFunction((s, t) => [...document.querySelectorAll(s)].some((e) => e.textContent.includes(t)), { timeout: kPatience }, selector, text);
  const [username, password] = options.user.split(/:(.*)/s);
  await page.authenticate({ username, password });
  await check("with an operator's name and secret the page is live", async () => {
    await page.goto(options.master);
    await page.waitForFunction(() => document.getElementById("live")?.textContent === "live", { timeout: kPatience });
    await sees(".card", "1 agent");
  });
  const child = spawn(options.stoa, [`--master=${options.master}`, "run", "--name=seen", "--", "sh", "-c", "echo from the agent; exec sleep 1000"], { stdio: "ignore" });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  await check("a task's output comes through the master", async () => {
    await page.evaluate(() => (location.hash = "#/tasks"));
    await sees("tbody tr.opens", "running");
    await page.evaluate(() => [...document.querySelectorAll("tbody tr.opens")].find((row) => row.textContent.includes("running")).click());
    await sees("pre.log", "from the agent");
  });
  await check("and it can be killed", async () => {
    await page.click("#kill");
    await page.waitForSelector("dialog[open]", { timeout: kPatience });
    await page.click("#kill-sure");
    await sees(".history .state", "killed");
    expect((await ended) !== 0, "stoa run ended with 0");
  });
  await check("no errors on the page", async () => expect(errors.length === 0, errors.join("\n")));
  child.kill("SIGKILL");
  await browser.close();
  process.exit(allHeld() ? 0 : 1);
})();
