import * as format from "/web/js/format.js";
import { Table } from "/web/js/table.js";
import { Name, State, agentLink, frameworkLink, html, taskLink, useMemo } from "/web/js/ui.js";

const started = (task) => task.statuses.find((s) => s[0] === "TASK_RUNNING")?.[1] ?? task.statuses[0]?.[1] ?? 0;

export function taskColumns(cluster) {
  const host = (t) => cluster.agents.get(t.agent)?.hostname ?? t.agent;
  const owner = (t) => cluster.frameworks.get(t.framework)?.name ?? t.framework;
  return [
    { title: "Task", wide: 3, of: (t) => t.id, show: (t) => html`<${Name} text=${t.id} href=${taskLink(t)}/>` },
    { title: "Name", wide: 2, of: (t) => t.name, show: (t) => format.safe(t.name) },
    { title: "State", of: (t) => t.state, show: (t) => html`<${State} name=${t.state}/>` },
    { title: "Since", of: (t) => t.statuses.at(-1)?.[1] ?? 0, show: (t) => format.ago(t.statuses.at(-1)?.[1], cluster.now()) },
    { title: "Started", of: started, show: (t) => format.clock(started(t)) },
    { title: "Resources", wide: 2, of: (t) => t.resources.cpus ?? 0, show: (t) => format.resources(t.resources) },
    { title: "Agent", wide: 2, of: host, show: (t) => html`<${Name} text=${host(t)} href=${agentLink(t.agent)}/>` },
    { title: "Framework", wide: 2, of: owner, show: (t) => html`<${Name} text=${owner(t)} href=${frameworkLink(t.framework)}/>` },
  ];
}

const goTo = (words, state) => {
  const query = new URLSearchParams();
  if (words) query.set("q", words);
  if (state) query.set("state", state);
  history.replaceState(null, "", `#/tasks${query.size ? `?${query}` : ""}`);
  dispatchEvent(new HashChangeEvent("hashchange"));
};

export function Tasks({ cluster, query }) {
  const words = query.get("q") ?? "";
  const state = query.get("state") ?? "";
  const rows = useMemo(
    () =>
      cluster.findTasks(
        words.toLowerCase().split(/\s+/).filter(Boolean),
        (t) => !state || t.state === state || (state === "live" && format.isLive(t.state)),
      ),
    [cluster.version, words, state],
  );
  const states = [...cluster.byState].filter(([, n]) => n > 0).map(([name]) => name).sort();
  return html`<section><h1>Tasks <span class="quiet">${format.count(rows.length)}</span></h1>
    <div class="tools">
      <input type="search" placeholder="Search by id, name, agent, framework" aria-label="Search tasks" value=${words}
        onInput=${(e) => goTo(e.target.value, state)}/>
      <select aria-label="State" value=${state} onChange=${(e) => goTo(words, e.target.value)}>
        <option value="">every state</option><option value="live">not ended</option>
        ${states.map((name) => html`<option value=${name} selected=${name === state}>${format.state(name)}</option>`)}
      </select>
    </div>
    <${Table} label="Tasks" columns=${taskColumns(cluster)} rows=${rows} id=${(t) => t.key}
      onOpen=${(t) => (location.hash = taskLink(t))}
      empty=${words || state ? "No task matches." : "No task yet. Try stoa run -- echo hello"}/></section>`;
}
