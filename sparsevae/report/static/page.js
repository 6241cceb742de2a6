// What all pages share: data, light and dark, tables that sort and filter, pages that renew themselves.
"use strict";
const dataOf = (name) => {
  const tag = document.getElementById(`data-${name}`);
  return tag ? JSON.parse(tag.textContent) : null;
};
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const now = root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
  try { localStorage.setItem("sparsevae-theme", root.dataset.theme); } catch { /* files may have no storage */ }
});

for (const table of all("table.sorts")) {
  const body = table.tBodies[0], heads = all("thead th", table);
  const value = (row, k) => {
    const cell = row.cells[k];
    return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return typeof a === "number" ? -1 : typeof b === "number" ? 1 : a.localeCompare(b, "en", {numeric: true});
  };
  heads.forEach((head, k) => head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const known = (row) => !["", "–"].includes(value(row, k));  // what is not known stays at the end
    const rows = [...body.rows];
    rows.sort((a, b) => known(b) - known(a) || (down ? -1 : 1) * compare(value(a, k), value(b, k)));
    body.append(...rows);
  }));
  const find = document.querySelector(`[data-find="${table.id}"]`);
  const choices = all(`[data-choose="${table.id}"]`);
  const filter = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of body.rows) {
      const text = row.textContent.toLowerCase();
      const fits = words.every((word) => text.includes(word)) && choices.every((choice) => {
        const k = heads.findIndex((head) => head.dataset.column === choice.dataset.column);
        return !choice.value || row.cells[k].textContent.trim() === choice.value;
      });
      row.hidden = !fits;
      shown += fits;
    }
    document.getElementById(`${table.id}-count`).textContent = `${shown} of ${body.rows.length}`;
  };
  find?.addEventListener("input", filter);
  for (const choice of choices) choice.addEventListener("change", filter);
}

if (document.body.dataset.live) {
  setInterval(async () => {
    try {
      const version = await (await fetch("version", {cache: "no-store"})).text();
      if (version !== document.body.dataset.live) location.reload();
    } catch { /* the server has ended: the page stays as it is */ }
  }, 3000);
}
