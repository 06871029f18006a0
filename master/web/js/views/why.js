// Why a framework waits, as `stoa explain` tells it: asked for when it is opened, since it looks at every agent.

import * as format from "/web/js/format.js";
import { html, useState } from "/web/js/ui.js";

const agents = (n) => `${format.count(n)} ${n === 1 ? "agent" : "agents"}`;

const Demand = ({ demand }) => html`<li><b>${format.count(demand.count)} × ${format.safe(demand.shape)}</b>:${" "}
  ${demand.fit_now > 0 ? `${format.count(demand.fit_now)} of ${agents(demand.agents)} ${demand.fit_now > 1 ? "have" : "has"} room now` : `none of ${agents(demand.agents)} has room now`}
  <ul>
    ${(demand.framework ?? []).map((reason) => html`<li>the framework: ${format.safe(reason)}</li>`)}
    ${(demand.reasons ?? []).map((reason) => html`<li>${agents(reason.agents)}: ${format.safe(reason.what)}</li>`)}
    ${demand.nearest && html`<li>nearest miss: ${format.safe(demand.nearest)}</li>`}
  </ul></li>`;

export function Why({ framework }) {
  const [told, setTold] = useState(null);
  const ask = async () => {
    const response = await fetch(`/api/stoa/explain?framework=${encodeURIComponent(framework)}`);
    setTold(response.ok ? await response.json() : { failed: await response.text() });
  };
  return html`<details onToggle=${(e) => e.target.open && ask()}><summary>Why does it wait?</summary>
    ${!told ? html`<p class="quiet">…</p>`
      : told.failed ? html`<p class="warn">${format.safe(told.failed)}</p>`
      : told.demands.length === 0 ? html`<p>It asks for nothing: it gets whatever is free, in its turn.</p>`
      : html`<ul>${told.demands.map((demand) => html`<${Demand} demand=${demand}/>`)}</ul>`}</details>`;
}
