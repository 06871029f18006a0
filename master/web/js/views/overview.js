// The first thing an operator sees: who leads, how full the cluster is and was, what its tasks do.

import * as format from "/web/js/format.js";
import { Facts, State, html } from "/web/js/ui.js";
import { UsageChart } from "/web/js/usage_chart.js";

export function Overview({ cluster }) {
  const agents = [...cluster.agents.values()];
  const active = agents.filter((a) => a.state === "active").length;
  const frameworks = [...cluster.frameworks.values()].filter((f) => !f.removed);
  const states = [...cluster.byState].filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]);
  const { total, used, offered } = cluster.totals();
  return html`<section>
    <div class="cards">
      <a class="card" href="#/agents"><b>${format.count(active)}</b> ${active === 1 ? "agent" : "agents"}
        ${agents.length > active && html`<span class="warn">${format.count(agents.length - active)} not here</span>`}</a>
      <a class="card" href="#/frameworks"><b>${format.count(frameworks.length)}</b> ${frameworks.length === 1 ? "framework" : "frameworks"}
        ${frameworks.some((f) => !f.active) && html`<span class="warn">${frameworks.filter((f) => !f.active).length} away</span>`}</a>
      <a class="card" href="#/tasks?state=TASK_RUNNING"><b id="running">${format.count(cluster.byState.get("TASK_RUNNING") ?? 0)}</b> running</a>
      <div class="card"><b>${format.percent(used.cpus, total.cpus)}</b> of cpus,${" "}
        <b>${format.percent(used.mem, total.mem)}</b> of memory allocated</div>
    </div>
    <div class="charts">
      <${UsageChart} history=${cluster.history} title="CPUs" total=${1} used=${2} show=${(v) => format.cpus(v)} />
      <${UsageChart} history=${cluster.history} title="Memory" total=${3} used=${4} show=${(v) => format.mebibytes(v)} />
    </div>
    <div class="columns">
      <div><h2>Tasks by state</h2>
        ${states.length === 0 && html`<p class="quiet">None yet. Try <code>stoa run -- echo hello</code></p>`}
        <ul class="states">${states.map(([name, n]) => html`<li><a href=${`#/tasks?state=${name}`}><${State} name=${name}/>
          <span>${format.count(n)}</span></a></li>`)}</ul></div>
      <div><h2>Leader</h2>
        <${Facts} of=${[
          ["Address", cluster.master.address],
          ["Id", format.safe(cluster.master.id)],
          ["Epoch", cluster.master.epoch],
          ["Version", cluster.master.version],
          ["Leads since", format.clock(cluster.master.started)],
          cluster.masters.length > 1 && ["Masters", cluster.masters.join(", ")],
          ["Offered now", format.resources(offered)],
        ]}/></div>
    </div></section>`;
}
