// The page of rules: one dialog adds and changes, an address is tried while it is typed, rows are put in order.
//
// `data-edit="dialog"` opens a form filled with `data-values`, which is then sent to `data-api`.

import { Problem, request } from "./api";
import { bodyOf, clearProblems } from "./forms";
import { refreshRegions } from "./live";
import { toastError } from "./toasts";

const WAIT_MS = 250;

interface Effects {
  category: string | null;
  folder: string;
  priority: number | null;
  checksum_url: string | null;
  checksum_needed: boolean;
  unpack: boolean | null;
}

interface Answer {
  matched: boolean;
  rule: string | null;
  rule_id: string | null;
  effects: Effects;
}

function fill(form: HTMLFormElement, values: Record<string, unknown>): void {
  for (const field of form.querySelectorAll<HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement>("[name]")) {
    if (!(field.name in values)) continue;
    const value = values[field.name];
    const as = field.dataset["as"];
    if (as === "choice" && field instanceof HTMLInputElement) field.checked = Array.isArray(value) && value.includes(field.value);
    else if (as === "flag" && field instanceof HTMLInputElement) field.checked = value === true;
    else if (Array.isArray(value)) field.value = value.join(as === "lines" ? "\n" : " ");
    else field.value = value === null ? "" : String(value);
  }
}

/** Show only the fields that the chosen kind has; a hidden one says nothing. */
function showKind(form: HTMLFormElement): void {
  const kind = form.querySelector<HTMLSelectElement>("select[name=kind]")?.value;
  for (const part of form.querySelectorAll<HTMLElement>("[data-when-kind]")) {
    part.hidden = part.dataset["whenKind"] !== kind;
    for (const field of part.querySelectorAll<HTMLInputElement | HTMLTextAreaElement>("[name]")) field.disabled = part.hidden;
  }
}

function openEditor(button: HTMLElement): void {
  const dialog = document.getElementById(button.dataset["edit"] ?? "");
  const form = dialog?.querySelector("form");
  if (!(dialog instanceof HTMLDialogElement) || !form || dialog.open) return;
  form.reset();
  clearProblems(form);
  fill(form, JSON.parse(button.dataset["values"] ?? "{}") as Record<string, unknown>);
  form.dataset["api"] = button.dataset["api"] ?? "";
  form.dataset["done"] = button.dataset["done"] ?? "Saved";
  const heading = form.querySelector("[data-heading]");
  if (heading) heading.textContent = button.dataset["heading"] ?? "";
  showKind(form);
  const place = form.querySelector("[data-try-answer]");
  if (place) place.textContent = "Whether it matches is said here.";
  dialog.showModal();
  form.querySelector<HTMLElement>("[autofocus]")?.focus();
}

function consequences(effects: Effects): string {
  const parts = [
    effects.category ? `filed under ${effects.category}` : "",
    effects.folder ? `goes to ${effects.folder}/` : "",
    effects.priority === null ? "" : `priority ${effects.priority}`,
    effects.checksum_url ? `checked with ${effects.checksum_url}` : "",
    effects.checksum_needed ? "a checksum is needed" : "",
    effects.unpack ? "is unpacked" : "",
  ].filter(Boolean);
  return parts.length > 0 ? `: ${parts.join(", ")}.` : ".";
}

function say(place: Element | null | undefined, text: string, tone: "good" | "bad" | ""): void {
  if (!place) return;
  place.textContent = text;
  place.classList.toggle("is-good", tone === "good");
  place.classList.toggle("is-bad", tone === "bad");
}

function mark(id: string | null): void {
  for (const row of document.querySelectorAll(".rule-rows tr.is-hit")) row.classList.remove("is-hit");
  if (id) document.getElementById(`rule-${id}`)?.classList.add("is-hit");
}

/** Ask which rule counts; of answers that overtake each other, the last question's is shown. */
class Trial {
  private timer = 0;
  private asked = 0;

  constructor(private readonly input: HTMLInputElement) {}

  soon(): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.ask(), WAIT_MS);
  }

  private async ask(): Promise<void> {
    const url = this.input.value.trim();
    const own = this.input.dataset["tryRule"] !== undefined;
    const place = this.input.parentElement?.parentElement?.querySelector("[data-try-answer]");
    const number = ++this.asked;
    if (url === "") {
      say(place, own ? "Whether it matches is said here." : "Which rule counts for it is said here. Nothing is fetched.", "");
      mark(null);
      return;
    }
    const form = this.input.form;
    const rule = own && form ? { name: "this rule", ...bodyOf(form) } : undefined;
    try {
      const answer = await request<Answer>("POST", "/api/v1/downloads/rules/test", { url, ...(rule ? { rule } : {}) });
      if (number !== this.asked) return;
      const who = own ? "It matches" : `${answer.rule ?? ""} counts`;
      const no = own ? "It does not match." : "No rule matches; it goes to the downloads folder.";
      say(place, answer.matched ? `${who}${consequences(answer.effects)}` : no, answer.matched ? "good" : "");
      if (!own) mark(answer.rule_id);
    } catch (error) {
      if (number !== this.asked) return;
      if (!(error instanceof Problem)) throw error;
      say(place, [...error.fields.values()][0] ?? error.message, "bad");
    }
  }
}

function ids(body: Element): string[] {
  return [...body.querySelectorAll<HTMLElement>("[data-rule-item]")].map((row) => row.dataset["ruleItem"] ?? "");
}

async function keepOrder(body: HTMLElement, focus: string): Promise<void> {
  try {
    await request("POST", body.dataset["ruleOrder"] ?? "", { ids: ids(body) });
  } catch (error) {
    toastError(error);
  }
  refreshRegions();
  document.querySelector<HTMLElement>(`[data-rule-item="${CSS.escape(focus)}"] [data-rule-grip]`)?.focus();
}

function step(row: HTMLElement, by: number): void {
  const other = by < 0 ? row.previousElementSibling : row.nextElementSibling;
  const body = row.parentElement;
  if (!other || !body) return;
  if (by < 0) other.before(row);
  else other.after(row);
  void keepOrder(body, row.dataset["ruleItem"] ?? "");
}

function startOrder(): void {
  let dragged: HTMLElement | null = null;
  let before = "";
  const rowOf = (event: Event): HTMLElement | null => (event.target as Element).closest<HTMLElement>("[data-rule-order] > [data-rule-item]");
  document.addEventListener("dragstart", (event) => {
    if (!(event.target as Element).closest("[data-rule-grip]")) return;
    dragged = rowOf(event);
    before = dragged?.parentElement ? ids(dragged.parentElement).join() : "";
    dragged?.classList.add("is-dragged");
    if (event.dataTransfer) event.dataTransfer.effectAllowed = "move";
  });
  document.addEventListener("dragover", (event) => {
    const over = rowOf(event);
    if (!dragged || !over || over.parentElement !== dragged.parentElement) return;
    event.preventDefault();
    const box = over.getBoundingClientRect();
    if (event.clientY < box.top + box.height / 2) over.before(dragged);
    else over.after(dragged);
  });
  document.addEventListener("dragend", () => {
    const row = dragged;
    dragged = null;
    row?.classList.remove("is-dragged");
    if (row?.parentElement && ids(row.parentElement).join() !== before) void keepOrder(row.parentElement, row.dataset["ruleItem"] ?? "");
  });
  document.addEventListener("keydown", (event) => {
    const row = (event.target as Element).closest("[data-rule-grip]") ? rowOf(event) : null;
    if (!row || !event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
    event.preventDefault();
    step(row, event.key === "ArrowUp" ? -1 : 1);
  });
}

export function startRules(): void {
  document.addEventListener("click", (event) => {
    const editor = (event.target as Element).closest<HTMLElement>("[data-edit]");
    if (editor) openEditor(editor);
    const mover = (event.target as Element).closest<HTMLElement>("[data-rule-move]");
    const row = mover?.closest<HTMLElement>("[data-rule-order] > [data-rule-item]");
    if (mover && row) step(row, Number(mover.dataset["ruleMove"]));
  });
  const trials = new Map<HTMLInputElement, Trial>();
  document.addEventListener("input", (event) => {
    const field = event.target as HTMLElement;
    const own = field.closest("form")?.querySelector<HTMLInputElement>("[data-try-rule]");
    const input = field instanceof HTMLInputElement && field.dataset["try"] !== undefined ? field : own;
    if (!input) return;
    if (!trials.has(input)) trials.set(input, new Trial(input));
    trials.get(input)?.soon();
  });
  document.addEventListener("change", (event) => {
    const field = event.target as HTMLElement;
    if (field instanceof HTMLSelectElement && field.name === "kind" && field.form) showKind(field.form);
  });
  startOrder();
}
