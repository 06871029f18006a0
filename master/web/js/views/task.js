// One task: its history with reasons, its output as it is written, and the way to end it.

import { kill } from "/web/js/cluster.js";
import * as format from "/web/js/format.js";
import { Facts, Name, State, agentLink, frameworkLink, html, useEffect, useRef, useState } from "/web/js/ui.js";

const kShown = 512 * 1024; // characters of a log that stay in the page; the oldest go

function Log({ task, file }) {
  const [text, setText] = useState("");
  const [why, setWhy] = useState("");
  const box = useRef(null);
  const follows = useRef(true);
  useEffect(() => {
    const control = new AbortController();
    let shown = "";
    let drawn = false;
    const draw = () => {
      drawn = false;
      setText(shown);
    };
    (async () => {
      setText("");
      setWhy("");
      const parts = [task.agent, task.framework, task.id, file].map(encodeURIComponent);
      const response = await fetch(`/api/stoa/sandbox/${parts.join("/")}?follow=1&tail=${kShown}`, { signal: control.signal });
      if (!response.ok) throw new Error(await response.text());
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        shown = (shown + value).slice(-kShown);
        if (!drawn) {
          drawn = true;
          requestAnimationFrame(draw);
        }
      }
      setText(shown);
    })().catch((error) => control.signal.aborted || setWhy(error.message || "the output can't be read"));
    return () => control.abort();
  }, [task.key, file]);
  useEffect(() => {
    if (follows.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [text]);
  const onScroll = (e) => (follows.current = e.target.scrollHeight - e.target.scrollTop - e.target.clientHeight < 30);
  return html`<pre class="log" id=${file} tabindex="0" ref=${box} onScroll=${onScroll}>${text}</pre>
    ${why ? html`<p class="warn">${format.safe(why)}</p>` : text === "" && html`<p class="quiet">Nothing written so far.</p>`}`;
}

function KillButton({ task }) {
  const [asked, setAsked] = useState("");
  const dialog = useRef(null);
  const sure = async () => {
    dialog.current.close();
    setAsked("asked to end");
    try {
      await kill(task.framework, task.id);
    } catch (error) {
      setAsked(`not ended: ${format.safe(error.message)}`);
    }
  };
  return html`<button class="danger" id="kill" onClick=${() => dialog.current.showModal()}>Kill</button>
    <span class="quiet" role="status">${asked}</span>
    <dialog ref=${dialog}><p>End task <b>${format.safe(task.id)}</b>? Its work so far is lost; its framework is told that it
      was killed, and may start it anew.</p>
      <div class="tools"><button class="danger" id="kill-sure" onClick=${sure}>Kill it</button>
        <button autofocus onClick=${() => dialog.current.close()}>Leave it running</button></div></dialog>`;
}

export function Task({ cluster, path }) {
  const task = cluster.tasks.get(`${path[0]}/${path[1]}`);
  const [file, setFile] = useState("stdout");
  if (!task) return html`<section><h1>Task</h1><p>This master knows no task ${format.safe(path[1])} of that framework. Ended tasks are kept for a
    while only.</p></section>`;
  const agent = cluster.agents.get(task.agent);
  return html`<section><h1>${format.safe(task.id)} <${State} name=${task.state}/></h1>
    <div class="tools">${format.isLive(task.state) && html`<${KillButton} key=${task.key} task=${task}/>`}</div>
    <${Facts} of=${[
      ["Name", format.safe(task.name)],
      ["Framework", html`<${Name} text=${cluster.frameworks.get(task.framework)?.name ?? task.framework} href=${frameworkLink(task.framework)}/>`],
      ["Agent", html`<${Name} text=${agent?.hostname ?? task.agent} href=${agentLink(task.agent)}/>`],
      task.executor && ["Executor", format.safe(task.executor)],
      ["Resources", format.resources(task.resources)],
    ]}/>
    <h2>History</h2>
    <ol class="history">${task.statuses.map(([state, at, source, reason, message, status]) => html`<li>
      <time>${format.clock(at)}</time><${State} name=${state}/>
      <span>${[status != null && format.waitStatus(status), reason && format.safe(reason.replace(/^REASON_/, "").toLowerCase().replaceAll("_", " ")),
        format.safe(message)].filter(Boolean).join(": ")}</span>
      <span class="quiet">${source.replace(/^SOURCE_/, "").toLowerCase()}</span></li>`)}</ol>
    <h2>Output <span class="tabs">${["stdout", "stderr"].map((name) => html`<button aria-pressed=${name === file} onClick=${() => setFile(name)}>${name}</button>`)}</span></h2>
    <${Log} task=${task} file=${file}/></section>`;
}
