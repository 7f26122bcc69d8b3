// Which rows of the list are selected: one by one, a range with Shift, or all that the list finds.

const chosen = new Set<string>();
let last: string | null = null;
let matching = false;

/** What a bulk action is about: ids, or the filter of the list when all that it finds are selected. */
export type Target = { ids: string[] } | { filter: unknown };

function boxes(): HTMLInputElement[] {
  return [...document.querySelectorAll<HTMLInputElement>("input[data-select]")];
}

function list(): HTMLElement | null {
  return document.querySelector<HTMLElement>("[data-filter]");
}

function total(): number {
  return Number(list()?.dataset["total"] ?? boxes().length);
}

export function target(): Target {
  return matching ? { filter: JSON.parse(list()?.dataset["filter"] ?? "{}") } : { ids: [...chosen] };
}

export function count(): number {
  return matching ? total() : chosen.size;
}

/** The rows on this page that are selected. */
export function rows(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>("tr[data-job]")].filter((row) => chosen.has(row.dataset["job"] ?? ""));
}

/** Bring boxes and the bar of bulk actions in step with what is selected. */
export function showSelection(): void {
  const all = boxes();
  const here = new Set(all.map((box) => box.value));
  if (matching) for (const id of here) chosen.add(id);
  for (const id of chosen) if (!here.has(id)) chosen.delete(id);
  for (const box of all) {
    box.checked = chosen.has(box.value);
    box.closest("tr")?.classList.toggle("is-chosen", box.checked);
  }
  const head = document.querySelector<HTMLInputElement>("input[data-select-all]");
  if (head) {
    head.checked = all.length > 0 && chosen.size === all.length;
    head.indeterminate = chosen.size > 0 && chosen.size < all.length;
  }
  const bar = document.getElementById("bulk");
  if (!bar) return;
  bar.hidden = chosen.size === 0;
  const place = bar.querySelector("[data-selected]");
  if (place) place.textContent = matching ? `All ${count().toLocaleString("en")} selected` : `${chosen.size} selected`;
  const more = bar.querySelector<HTMLButtonElement>("[data-select-matching]");
  if (more) {
    more.hidden = matching || !head?.checked || total() <= all.length;
    more.textContent = `Select all ${total().toLocaleString("en")}`;
  }
}

export function clearSelection(): void {
  chosen.clear();
  matching = false;
  last = null;
  showSelection();
}

/** Select all on this page, then all that the list finds. */
export function selectAll(): void {
  const all = boxes();
  if (all.length === 0) return;
  if (chosen.size === all.length && total() > all.length) matching = true;
  for (const box of all) chosen.add(box.value);
  showSelection();
}

/** Select or deselect one row; with `range` all between the last one and this get the same. */
export function toggle(id: string, on: boolean, range: boolean): void {
  const order = boxes().map((box) => box.value);
  const [from, to] = [order.indexOf(last ?? ""), order.indexOf(id)];
  const span = range && from >= 0 ? order.slice(Math.min(from, to), Math.max(from, to) + 1) : [id];
  matching = false;
  for (const one of span) {
    if (on) chosen.add(one);
    else chosen.delete(one);
  }
  last = id;
  showSelection();
}

export function startSelection(): void {
  document.addEventListener("click", (event) => {
    const box = event.target as HTMLInputElement;
    if (box.dataset?.["select"] !== undefined) toggle(box.value, box.checked, event.shiftKey);
    else if (box.dataset?.["selectAll"] !== undefined) {
      if (box.checked) selectAll();
      else clearSelection();
    } else if ((event.target as Element).closest("[data-select-matching]")) selectAll();
    else if ((event.target as Element).closest("[data-deselect]")) clearSelection();
  });
  // Text between two clicks with Shift is not meant to be marked.
  document.addEventListener("mousedown", (event) => {
    if (event.shiftKey && (event.target as Element).closest("td.c-check")) event.preventDefault();
  });
  document.addEventListener("htmx:after:swap", showSelection);
}
