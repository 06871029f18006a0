// The operator's page: the shell around the views, and which view the address names. Draws at most once a frame, and
// less often the longer a drawing takes, so that a busy cluster never makes the page stutter.

import { Cluster } from "/web/js/cluster.js";
import { html, render } from "/web/js/ui.js";
import { Agent, Agents } from "/web/js/views/agents.js";
import { Framework, Frameworks } from "/web/js/views/frameworks.js";
import { Jobs } from "/web/js/views/jobs.js";
import { Overview } from "/web/js/views/overview.js";
import { Task } from "/web/js/views/task.js";
import { Tasks } from "/web/js/views/tasks.js";

const kViews = [
  ["", "Overview", Overview, Overview],
  ["agents", "Agents", Agents, Agent],
  ["frameworks", "Frameworks", Frameworks, Framework],
  ["tasks", "Tasks", Tasks, Task],
  ["jobs", "Jobs", Jobs, Jobs],
];
const kTheme = "stoa-theme";

const root = document.getElementById("page");
const cluster = new Cluster(() => draw());

function place() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [view, ...rest] = path.split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return { view, path: rest, query: new URLSearchParams(query) };
}

// What the person chose here once, else what the system says.
const system = matchMedia("(prefers-color-scheme: dark)");
function setTheme() {
  document.documentElement.dataset.theme = localStorage.getItem(kTheme) ?? (system.matches ? "dark" : "light");
}
const dark = () => document.documentElement.dataset.theme === "dark";

function Shell() {
  const at = place();
  const [name, , List, One] = kViews.find((v) => v[0] === at.view) ?? kViews[0];
  const View = at.path.length ? One : List;
  return html`<header>
      <a class="logo" href="#/"><img src="/web/icon.svg" alt="" width="22" height="22"/> Stoa</a>
      <nav>${kViews.map(([to, title]) => html`<a href=${`#/${to}`} aria-current=${to === name ? "page" : null}>${title}</a>`)}</nav>
      <span class=${`live ${cluster.live ? "" : "not"}`} id="live" role="status"
        title=${cluster.live ? "what you see is the cluster's state now" : cluster.why}>${cluster.live ? "live" : `not live: ${cluster.why}`}</span>
      <button class="theme" aria-label="Light or dark" onClick=${() => {
        localStorage.setItem(kTheme, dark() ? "light" : "dark");
        location.reload(); // the charts' colours are fixed when they are made
      }}>${dark() ? "☀" : "☾"}</button>
    </header>
    <main class=${cluster.live || !cluster.loaded ? "" : "stale"}>
      ${cluster.loaded || cluster.agents.size ? html`<${View} key=${`${name}/${at.path.join("/")}`} cluster=${cluster} path=${at.path} query=${at.query}/>`
        : html`<p class="quiet">Connecting to the master…</p>`}
    </main>`;
}

let due = false;
let pause = 0; // ms until the next drawing may begin
function draw() {
  if (due) return;
  due = true;
  setTimeout(() => requestAnimationFrame(() => {
    due = false;
    const began = performance.now();
    render(html`<${Shell}/>`, root);
    pause = Math.min(1000, 4 * (performance.now() - began));
  }), pause);
}

setTheme();
system.addEventListener("change", setTheme);
addEventListener("hashchange", () => {
  scrollTo(0, 0);
  draw();
});
setInterval(draw, 5000); // "2 min ago" goes on
draw();
cluster.start();
