// A table of any length: only the rows in view are in the document. Columns say how a row shows and how it sorts.
//
//   <Table columns=${[{ title: "Agent", of: (a) => a.hostname, show: (a) => html`…`, right: false, wide: 2 }]}
//          rows=${agents} id=${(a) => a.id} empty="No agents yet." onOpen=${(a) => …} />
//
// Rows come in the order of `rows` until a heading is clicked.

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "/web/js/ui.js";

const kRow = 34; // px, as in style.css
const kBeyond = 8; // rows drawn above and below those in view

const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));

export function Table({ columns, rows, id, empty, onOpen, label }) {
  const [sort, setSort] = useState(null);
  const [view, setView] = useState({ first: 0, many: 40 });
  const box = useRef(null);

  const sorted = useMemo(() => {
    if (!sort) return rows;
    const of = columns[sort.column].of;
    const keyed = rows.map((row) => [of(row), row]);
    keyed.sort((a, b) => (sort.down ? compare(b[0], a[0]) : compare(a[0], b[0])));
    return keyed.map((one) => one[1]);
  }, [rows, sort]);

  const look = () => {
    const top = Math.max(0, -box.current.getBoundingClientRect().top);
    const first = Math.max(0, Math.floor(top / kRow) - kBeyond);
    const many = Math.ceil(window.innerHeight / kRow) + 2 * kBeyond;
    setView((old) => (old.first === first && old.many === many ? old : { first, many }));
  };
  useLayoutEffect(look, [rows.length]);
  useEffect(() => {
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look, { passive: true });
    return () => {
      removeEventListener("scroll", look);
      removeEventListener("resize", look);
    };
  }, []);

  const head = columns.map((column, i) => {
    const by = sort?.column === i;
    return html`<th scope="col" class=${`${column.right ? "right " : ""}w${column.wide ?? 1}`}
        aria-sort=${by ? (sort.down ? "descending" : "ascending") : "none"}>
      <button onClick=${() => setSort(by && !sort.down ? { column: i, down: true } : by ? null : { column: i, down: false })}>
        ${column.title}<span class="arrow">${by ? (sort.down ? "▾" : "▴") : ""}</span>
      </button></th>`;
  });
  const first = Math.min(view.first, Math.max(0, sorted.length - 1));
  const shown = sorted.slice(first, first + view.many);
  const below = Math.max(0, sorted.length - first - shown.length);
  return html`<table aria-label=${label} aria-rowcount=${sorted.length}>
    <thead><tr>${head}</tr></thead>
    <tbody ref=${box}>
      ${first > 0 && html`<tr class="space" key="above"><td colspan=${columns.length}><svg height=${first * kRow} width="1"/></td></tr>`}
      ${shown.map((row) => html`<tr key=${id(row)} data-id=${id(row)} class=${onOpen ? "opens" : ""}
          onClick=${onOpen && (() => onOpen(row))}>
        ${columns.map((column) => html`<td class=${column.right ? "right" : ""}>${column.show(row)}</td>`)}
      </tr>`)}
      ${below > 0 && html`<tr class="space" key="below"><td colspan=${columns.length}><svg height=${below * kRow} width="1"/></td></tr>`}
      ${sorted.length === 0 && html`<tr class="none"><td colspan=${columns.length}>${empty}</td></tr>`}
    </tbody>
  </table>`;
}
