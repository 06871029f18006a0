// The one place that knows where the library for views is, and small pieces that several views show.

export * from "/web/preact.js";
import { html } from "/web/preact.js";
import * as format from "/web/js/format.js";

export const State = ({ name }) => html`<span class=${`state ${format.tone(name)}`}>${format.state(name)}</span>`;

// How much of a whole is taken, and how much more is offered: a bar that says its figures to screen readers too.
export function Bar({ used, offered = 0, total, text }) {
  const part = (n) => (total > 0 ? Math.min(100, (100 * n) / total) : 0);
  return html`<span class="bar" role="img" aria-label=${text} title=${text}>
    <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
      <rect class="whole" width="100" height="8"/>
      <rect class="offered" width=${Math.min(100, part(used) + part(offered))} height="8"/>
      <rect class="used" width=${part(used)} height="8"/>
    </svg><span class="figures">${text}</span></span>`;
}

export const Facts = ({ of }) => html`<dl class="facts">
  ${of.filter(Boolean).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

export const Name = ({ text, href }) => (href ? html`<a href=${href} onClick=${(e) => e.stopPropagation()}>${format.safe(text)}</a>` : format.safe(text));

export const taskLink = (task) => `#/tasks/${encodeURIComponent(task.framework)}/${encodeURIComponent(task.id)}`;
export const agentLink = (id) => `#/agents/${encodeURIComponent(id)}`;
export const frameworkLink = (id) => `#/frameworks/${encodeURIComponent(id)}`;
