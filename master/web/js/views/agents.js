import * as format from "/web/js/format.js";
import { Table } from "/web/js/table.js";
import { Bar, Facts, Name, agentLink, html, taskLink } from "/web/js/ui.js";
import { taskColumns } from "/web/js/views/tasks.js";

const bar = (name, show) => (a) =>
  html`<${Bar} used=${a.used[name] ?? 0} offered=${a.offered[name] ?? 0} total=${a.total[name] ?? 0}
    text=${`${show(a.used[name] ?? 0)} of ${show(a.total[name] ?? 0)}`}/>`;

const AgentState = ({ agent }) => html`<span class=${`state ${agent.state === "active" ? "runs" : "bad"}`}>${agent.state}</span>`;

export function Agents({ cluster }) {
  const columns = [
    { title: "Host", wide: 2, of: (a) => a.hostname, show: (a) => html`<${Name} text=${a.hostname} href=${agentLink(a.id)}/>` },
    { title: "State", of: (a) => a.state, show: (a) => html`<${AgentState} agent=${a}/>` },
    { title: "Tasks", right: true, of: (a) => a.tasks, show: (a) => format.count(a.tasks) },
    { title: "CPUs", wide: 2, of: (a) => a.total.cpus, show: bar("cpus", format.cpus) },
    { title: "Memory", wide: 2, of: (a) => a.total.mem, show: bar("mem", format.mebibytes) },
    { title: "Attributes", wide: 2, of: (a) => a.attributes, show: (a) => format.safe(a.attributes) },
    { title: "Id", wide: 2, of: (a) => a.id, show: (a) => html`<code>${format.safe(a.id)}</code>` },
  ];
  return html`<section><h1>Agents</h1>
    <${Table} label="Agents" columns=${columns} rows=${[...cluster.agents.values()]} id=${(a) => a.id}
      onOpen=${(a) => (location.hash = agentLink(a.id))}
      empty="No agent has registered. Start one with stoa-agent --master=ADDRESS, or a whole cluster with stoa up."/></section>`;
}

export function Agent({ cluster, path }) {
  const agent = cluster.agents.get(path[0]);
  if (!agent) return html`<section><h1>Agent</h1><p>This master knows no agent ${format.safe(path[0])}.</p></section>`;
  const tasks = cluster.findTasks([], (task) => task.agent === agent.id);
  return html`<section><h1>${format.safe(agent.hostname)} <${AgentState} agent=${agent}/></h1>
    <${Facts} of=${[
      ["Id", html`<code>${format.safe(agent.id)}</code>`],
      ["Address", format.safe(agent.address)],
      ["Version", format.safe(agent.version)],
      ["Isolation", format.safe(agent.isolation)],
      ["Registered", format.clock(agent.registered)],
      ["In this state since", format.clock(agent.since)],
      ["Total", format.resources(agent.total)],
      ["Allocated", format.resources(agent.used)],
      ["Offered", format.resources(agent.offered)],
      ["Attributes", format.safe(agent.attributes) || "–"],
    ]}/>
    <h2>Its tasks</h2>
    <${Table} label="Tasks" columns=${taskColumns(cluster).filter((c) => c.title !== "Agent")} rows=${tasks} id=${(t) => t.key}
      onOpen=${(t) => (location.hash = taskLink(t))} empty="None."/></section>`;
}
