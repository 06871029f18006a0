// Why a framework waits, as `stoa explain` tells it: asked for when it is opened, since it looks at every agent.

import * as format from "/web/js/format.js";
import { html, useState } from "/web/js/ui.js";

export function Why({ framework }) {
  const [told, setTold] = useState(null);
  const ask = async () => {
    const response = await fetch(`/api/stoa/explain?framework=${encodeURIComponent(framework)}&text=1`);
    setTold(await response.text());
  };
  return html`<details onToggle=${(e) => e.target.open && ask()}><summary>Why does it wait?</summary>
    <pre class="log">${told == null ? "…" : told.split("\n").map((line) => format.safe(line, 500)).join("\n")}</pre></details>`;
}
