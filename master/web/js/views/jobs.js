// The batch framework's jobs, from its own stream, which the master passes on while this view is open.

import { readLines } from "/web/js/cluster.js";
import * as format from "/web/js/format.js";
import { Table } from "/web/js/table.js";
import { html, useEffect, useState } from "/web/js/ui.js";

const kTones = { queued: "waits", held: "waits", running: "runs", succeeded: "good", failed: "bad" };
const tasksIn = (job, phase) => job.tasks_in[phase] ?? 0;

export function Jobs({ cluster }) {
  const batch = [...cluster.frameworks.values()].find((f) => f.active && f.batch);
  const [jobs, setJobs] = useState(new Map());
  const [why, setWhy] = useState("");
  useEffect(() => {
    if (!batch) return undefined;
    const control = new AbortController();
    const known = new Map();
    const show = () => setJobs(new Map(known));
    (async () => {
      const response = await fetch(`/api/stoa/batch/${encodeURIComponent(batch.id)}/events`, { signal: control.signal });
      if (!response.ok) throw new Error(await response.text());
      setWhy("");
      let due = 0;
      await readLines(response, (job) => {
        known.set(job.job, job);
        due ||= requestAnimationFrame(() => {
          due = 0;
          show();
        });
      }, () => {});
      setWhy("the batch framework ended the stream");
    })().catch((error) => control.signal.aborted || setWhy(error.message));
    return () => control.abort();
  }, [batch?.id, batch?.since]);
  const columns = [
    { title: "Job", right: true, of: (j) => j.job, show: (j) => j.job },
    { title: "Name", wide: 2, of: (j) => j.name, show: (j) => html`<a href=${`#/tasks?q=${encodeURIComponent(`job-${j.job}`)}`}>${format.safe(j.name)}</a>` },
    { title: "User", of: (j) => j.user, show: (j) => format.safe(j.user) },
    { title: "State", of: (j) => j.state, show: (j) => html`<span class=${`state ${kTones[j.state] ?? "ended"}`}>${format.safe(j.state)}</span>` },
    { title: "Tasks", right: true, of: (j) => j.count, show: (j) => format.count(j.count) },
    ...["waiting", "running", "succeeded", "failed"].map((phase) => ({
      title: phase[0].toUpperCase() + phase.slice(1),
      right: true,
      of: (j) => tasksIn(j, phase),
      show: (j) => format.count(tasksIn(j, phase)),
    })),
    { title: "Submitted", wide: 2, of: (j) => j.submitted_ns, show: (j) => format.clock(j.submitted_ns / 1e9) },
    { title: "Why", wide: 2, of: (j) => j.why ?? "", show: (j) => format.safe(j.why ?? "") },
  ];
  const rows = [...jobs.values()].sort((a, b) => b.job - a.job);
  return html`<section><h1>Jobs</h1>
    ${why && html`<p class="warn">${format.safe(why)}</p>`}
    <${Table} label="Jobs" columns=${columns} rows=${rows} id=${(j) => j.job}
      empty=${batch ? "No job yet. Try stoa submit -- echo hello" : "No batch framework is here: start stoa-batch, or use stoa up."}/></section>`;
}
