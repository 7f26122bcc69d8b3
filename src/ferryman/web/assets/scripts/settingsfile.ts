// Carrying settings: the dialogs that export them, and that show what an import changes before it does.

import { Problem, request } from "./api";
import { toast } from "./toasts";

interface Change {
  name: string;
  label: string;
  before: unknown;
  after: unknown;
}

function shown(value: unknown): string {
  return value === null || value === "" ? "empty" : String(value);
}

function startExport(): void {
  const dialog = document.querySelector<HTMLDialogElement>("[data-set-export]");
  const text = dialog?.querySelector<HTMLTextAreaElement>("[data-set-exported]");
  const link = dialog?.querySelector<HTMLAnchorElement>("[data-set-download]");
  if (!dialog || !text || !link) return;
  const load = async (): Promise<void> => {
    const format = dialog.querySelector<HTMLInputElement>("input[name=export-format]:checked")?.value ?? "toml";
    link.href = `/api/v1/settings/export?format=${format}`;
    const answer = await fetch(link.href, { credentials: "same-origin" });
    text.value = await answer.text();
    if (text.value.trim() === "") text.placeholder = "Every setting is the default: there is nothing to export.";
  };
  new MutationObserver(() => {
    if (dialog.open) void load();
  }).observe(dialog, { attributeFilter: ["open"] });
  dialog.addEventListener("change", () => void load());
  dialog.querySelector("[data-set-copy]")?.addEventListener("click", () => {
    void navigator.clipboard.writeText(text.value).then(
      () => toast("The settings are copied", "good"),
      () => text.select(),
    );
  });
}

/** A table of what changes: name, before, after. */
function difference(changes: readonly Change[]): HTMLElement {
  if (changes.length === 0) {
    const note = document.createElement("p");
    note.className = "soft";
    note.textContent = "Nothing changes: everything in it is in force already.";
    return note;
  }
  const table = document.createElement("table");
  table.className = "set-changes";
  const head = table.createTHead().insertRow();
  for (const title of ["Setting", "Now", "Then"]) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = title;
    head.append(cell);
  }
  const body = table.createTBody();
  for (const change of changes) {
    const row = body.insertRow();
    row.insertCell().textContent = change.label;
    for (const value of [change.before, change.after]) {
      const code = document.createElement("code");
      code.textContent = shown(value);
      row.insertCell().append(code);
    }
  }
  return table;
}

class ImportDialog {
  private readonly text: HTMLTextAreaElement;
  private readonly place: HTMLElement;
  private readonly apply: HTMLButtonElement;

  constructor(
    private readonly form: HTMLFormElement,
    private readonly done: () => Promise<void>,
  ) {
    this.text = form.querySelector("textarea") as HTMLTextAreaElement;
    this.place = form.querySelector("[data-set-difference]") as HTMLElement;
    this.apply = form.querySelector("[data-set-apply]") as HTMLButtonElement;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const button = event.submitter as HTMLButtonElement | null;
      void this.send(button?.value === "apply");
    });
    this.text.addEventListener("input", () => this.forget());
    form.querySelector("input[type=file]")?.addEventListener("change", (event) => void this.read(event));
  }

  private async read(event: Event): Promise<void> {
    const file = (event.target as HTMLInputElement).files?.[0];
    if (!file) return;
    if (file.size > 100_000) {
      this.refuse(`${file.name} has ${file.size} bytes. Settings have at most 100000.`, "");
      return;
    }
    this.text.value = await file.text();
    await this.send(false);
  }

  private forget(): void {
    this.apply.disabled = true;
    this.place.hidden = true;
    this.refuse("", "");
  }

  private refuse(message: string, advice: string): void {
    const notice = this.form.querySelector<HTMLElement>("[data-problem]");
    if (!notice) return;
    notice.hidden = message === "";
    const [text, more] = [notice.querySelector("[data-text]"), notice.querySelector("[data-advice]")];
    if (text) text.textContent = message;
    if (more) more.textContent = advice;
  }

  private async send(apply: boolean): Promise<void> {
    this.forget();
    const format = this.text.value.trimStart().startsWith("{") ? "json" : "toml";
    const body = { text: this.text.value, format };
    try {
      const answer = await request<{ changes: Change[] }>("POST", `/api/v1/settings/import?dry_run=${String(!apply)}`, body);
      if (apply) {
        this.form.closest("dialog")?.close();
        this.form.reset();
        await this.done();
        toast(`${answer.changes.length} settings are imported`, "good");
        return;
      }
      this.place.replaceChildren(difference(answer.changes));
      this.place.hidden = false;
      this.apply.disabled = answer.changes.length === 0;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const lines = [...error.fields].map(([name, message]) => (name === "text" ? message : `${name}: ${message}`));
      this.refuse(lines.length > 0 ? `Nothing is imported. ${lines.join(" ")}` : error.message, error.advice);
    }
  }
}

export function startCarrying(done: () => Promise<void>): void {
  startExport();
  const form = document.querySelector<HTMLFormElement>("form[data-set-import]");
  if (form) new ImportDialog(form, done);
}
