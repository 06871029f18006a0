// Resources allocated against total over the last hour: two lines an item, drawn by uPlot from the master's samples
// [seconds, cpus total, cpus allocated, mem total, mem allocated, running tasks].

import uPlot from "/web/uPlot.esm.js";
import { html, useEffect, useRef } from "/web/js/ui.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function UsageChart({ history, title, total, used, show }) {
  const box = useRef(null);
  const chart = useRef(null);
  const data = [history.map((s) => s[0]), history.map((s) => s[total]), history.map((s) => s[used])];

  useEffect(() => {
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const size = () => ({ width: Math.max(200, box.current.clientWidth), height: 170 });
    chart.current = new uPlot(
      {
        ...size(),
        cursor: { y: false },
        legend: { show: false },
        scales: { y: { range: (_, low, high) => [0, Math.max(1, high * 1.1)] } },
        axes: [axis, { ...axis, size: 64, values: (_, ticks) => ticks.map(show) }],
        series: [
          {},
          { label: "total", stroke: colour("--quiet"), width: 1, dash: [4, 4] },
          { label: "allocated", stroke: colour("--accent"), width: 2, fill: colour("--accent-wash") },
        ],
      },
      data,
      box.current,
    );
    const watch = new ResizeObserver(() => chart.current.setSize(size()));
    watch.observe(box.current);
    return () => {
      watch.disconnect();
      chart.current.destroy();
    };
  }, []);
  useEffect(() => chart.current?.setData(data), [history.length, history.at(-1)?.[0]]);

  const last = history.at(-1);
  return html`<figure class="chart"><figcaption>${title}
      <b>${last ? `${show(last[used])} of ${show(last[total])}` : ""}</b></figcaption>
    <div ref=${box}></div></figure>`;
}
