// How amounts, times and states are written. Pure functions; text goes into the page as text nodes only, so nothing
// that a cluster's users choose can become markup.

// Control characters and marks that turn the direction of text are made visible: a name must not be able to change how
// its neighbours read.
const kInvisible = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

export function safe(text, longest = 200) {
  const shown = String(text ?? "").replace(
    kInvisible, (c) => "\\u" + c.codePointAt(0).toString(16).padStart(4, "0"));
  return shown.length > longest ? shown.slice(0, longest) + "…" : shown;
}

// Made once: a toLocaleString() with options makes a format anew each time, which is most of what a row costs.
const kDecimals = [0, 1, 2].map((digits) => new Intl.NumberFormat("en", { maximumFractionDigits: digits }));
const kClock = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });

export function count(n) {
  return kDecimals[0].format(n ?? 0);
}

export function cpus(n) {
  const v = Number(n ?? 0);
  return kDecimals[v < 10 ? 2 : v < 1000 ? 1 : 0].format(v);
}

// Mesos counts mem and disk in MiB.
export function mebibytes(mib) {
  let v = Number(mib ?? 0);
  for (const unit of ["MB", "GB", "TB"]) {
    if (v < 1024 || unit === "TB") return `${kDecimals[v < 10 ? 1 : 0].format(v)} ${unit}`;
    v /= 1024;
  }
}

export function resources(r) {
  if (!r) return "";
  const parts = [];
  if (r.cpus) parts.push(`${cpus(r.cpus)} cpu`);
  if (r.mem) parts.push(mebibytes(r.mem));
  if (r.disk) parts.push(`${mebibytes(r.disk)} disk`);
  if (r.gpus) parts.push(`${cpus(r.gpus)} gpu`);
  for (const [name, value] of Object.entries(r)) {
    if (!["cpus", "mem", "disk", "gpus"].includes(name) && value && value !== "[]") parts.push(`${name} ${value}`);
  }
  return parts.join(", ") || "–";
}

export function percent(part, whole) {
  return whole > 0 ? `${Math.round((100 * part) / whole)} %` : "–";
}

export function state(name) {
  return String(name ?? "").replace(/^TASK_/, "").toLowerCase().replaceAll("_", " ");
}

const kLive = new Set(["TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_UNREACHABLE", "TASK_UNKNOWN"]);
export const isLive = (name) => kLive.has(name);
// What a state says at a glance: waits, runs, went well, went wrong, was ended.
export function tone(name) {
  if (name === "TASK_RUNNING") return "runs";
  if (name === "TASK_FINISHED") return "good";
  if (name === "TASK_KILLED") return "ended";
  return isLive(name) && name !== "TASK_UNREACHABLE" ? "waits" : "bad";
}

export function duration(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

export const ago = (then, now) => (then ? `${duration(now - then)} ago` : "–");

export function clock(seconds) {
  return seconds ? kClock.format(seconds * 1000) : "–";
}

// A raw wait status, as waitpid(2) gives it.
export function waitStatus(status) {
  const signal = status & 0x7f;
  return signal === 0 ? `exit code ${(status >> 8) & 0xff}` : `signal ${signal}`;
}
