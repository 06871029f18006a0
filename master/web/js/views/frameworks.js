import * as format from "/web/js/format.js";
import { Table } from "/web/js/table.js";
import { Facts, Name, frameworkLink, html, taskLink } from "/web/js/ui.js";
import { taskColumns } from "/web/js/views/tasks.js";
import { Why } from "/web/js/views/why.js";

// Dominant resource fairness (Ghodsi et al., NSDI 2011): the largest of the framework's fractions of any resource.
function share(framework, total) {
  let largest = 0;
  for (const name of ["cpus", "mem", "disk"]) {
    const held = (framework.used[name] ?? 0) + (framework.offered[name] ?? 0);
    if (total[name] > 0) largest = Math.max(largest, held / total[name]);
  }
  return largest;
}

const standing = (f) => (f.removed ? "removed" : f.active ? "active" : "away");
const Standing = ({ framework }) =>
  html`<span class=${`state ${framework.removed ? "ended" : framework.active ? "runs" : "bad"}`}>${standing(framework)}</span>`;
// Only web addresses become links: a framework chooses this text itself.
const webAddress = (url) => (/^https?:\/\//.test(url) ? html`<a href=${url} rel="noopener noreferrer">${format.safe(url)}</a>` : format.safe(url) || "–");

export function Frameworks({ cluster }) {
  const { total } = cluster.totals();
  const columns = [
    { title: "Name", wide: 2, of: (f) => f.name, show: (f) => html`<${Name} text=${f.name} href=${frameworkLink(f.id)}/>` },
    { title: "State", of: standing, show: (f) => html`<${Standing} framework=${f}/>` },
    { title: "Roles", of: (f) => f.roles.join(), show: (f) => format.safe(f.roles.join(", ")) },
    { title: "Tasks", right: true, of: (f) => f.tasks, show: (f) => format.count(f.tasks) },
    { title: "Share", right: true, of: (f) => share(f, total), show: (f) => `${(100 * share(f, total)).toFixed(1)} %` },
    { title: "Allocated", wide: 2, of: (f) => f.used.cpus ?? 0, show: (f) => format.resources(f.used) },
    { title: "Offers held", wide: 2, of: (f) => f.offered.cpus ?? 0, show: (f) => format.resources(f.offered) },
    { title: "User", of: (f) => f.user, show: (f) => format.safe(f.user) },
  ];
  const rows = [...cluster.frameworks.values()].sort((a, b) => (a.removed || Infinity) < (b.removed || Infinity) ? 1 : -1);
  return html`<section><h1>Frameworks</h1>
    <${Table} label="Frameworks" columns=${columns} rows=${rows} id=${(f) => f.id}
      onOpen=${(f) => (location.hash = frameworkLink(f.id))} empty="No framework has subscribed."/></section>`;
}

export function Framework({ cluster, path }) {
  const framework = cluster.frameworks.get(path[0]);
  if (!framework) return html`<section><h1>Framework</h1><p>This master knows no framework ${format.safe(path[0])}.</p></section>`;
  const { total } = cluster.totals();
  const tasks = cluster.findTasks([], (task) => task.framework === framework.id);
  const ended = Object.entries(framework.ended ?? {}).map(([name, n]) => `${format.count(n)} ${format.state(name)}`).join(", ");
  return html`<section><h1>${format.safe(framework.name)} <${Standing} framework=${framework}/></h1>
    <${Facts} of=${[
      ["Id", html`<code>${format.safe(framework.id)}</code>`],
      ["Roles", format.safe(framework.roles.join(", "))],
      ["User", format.safe(framework.user) || "–"],
      ["Host", format.safe(framework.hostname) || "–"],
      ["Page", webAddress(framework.webui_url)],
      ["Registered", format.clock(framework.registered)],
      framework.removed ? ["Removed", format.clock(framework.removed)] : null,
      ["Dominant share", `${(100 * share(framework, total)).toFixed(1)} %`],
      ["Allocated", format.resources(framework.used)],
      ["Offers held", format.resources(framework.offered)],
      ["Ended tasks", ended || "–"],
    ]}/>
    ${!framework.removed && html`<${Why} framework=${framework.id}/>`}
    <h2>Its tasks</h2>
    <${Table} label="Tasks" columns=${taskColumns(cluster).filter((c) => c.title !== "Framework")} rows=${tasks} id=${(t) => t.key}
      onOpen=${(t) => (location.hash = taskLink(t))} empty="None."/></section>`;
}
