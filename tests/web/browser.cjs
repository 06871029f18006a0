// What the programs that drive a browser share: their options, the browser, and checks that print TAP and go on counting
// from --number.
"use strict";

const puppeteer = require("puppeteer-core");

const options = Object.fromEntries(process.argv.slice(2).map((arg) => arg.replace(/^--/, "").split(/=(.*)/s)));
const kPatience = 20000; // ms

let number = Number(options.number ?? 0);
let failures = 0;
async function check(name, body) {
  try {
    await body();
    console.log(`ok ${++number} - ${name}`);
  } catch (error) {
    fail(name, error);
  }
}
function fail(name, error) {
  ++failures;
  console.log(`not ok ${++number} - ${name}\n# ${String(error.stack ?? error).replaceAll("\n", "\n# ")}`);
}
function expect(holds, what) {
  if (!holds) throw new Error(what);
}
const allHeld = () => failures === 0;

const launch = (...args) =>
  puppeteer.launch({
    executablePath: options.browser,
    userDataDir: options.profile,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", ...args],
  });

module.exports = { allHeld, check, expect, fail, kPatience, launch, options };
