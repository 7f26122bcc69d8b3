// The add dialog: addresses, a preview of what they lead to, options, start. It is fetched when it is first needed.

import * as fields from "./add_form";
import { type Conflict, type Entry, type Item, type Look, type Read, isLeft, itemsOf, orderEntry, questions, sumOf } from "./add_model";
import { row } from "./add_rows";
import { Problem, request, upload } from "./api";
import { refreshRegions } from "./live";
import { toast, toastError } from "./toasts";
import { size } from "./units";

type Step = "paste" | "preview" | "options";

/** Addresses that are looked at together; each by itself, so that a slow one keeps no other waiting. */
const AT_ONCE = 6;
const LOOKED_AT = 48;
const DRAWN = 200;
/** Problems after which the rest of a list was not read: it is not begun with a part. */
const UNREAD = ["list_too_long", "list_too_wrong"];

interface Attached {
  name: string;
  read: Read;
}

class Dialog {
  private readonly form: HTMLFormElement;
  private items: Item[] = [];
  private attached: Attached[] = [];
  private drawn = DRAWN;
  private allowed = LOOKED_AT;
  private free: number | null = null;
  /** Counts the previews that were begun: what an earlier one still finds out is of no use. */
  private round = 0;
  private step: Step = "paste";

  constructor(readonly dialog: HTMLDialogElement) {
    const form = dialog.querySelector<HTMLFormElement>("[data-add-form]");
    if (!form) throw new Error("the dialog has no form");
    this.form = form;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void (this.step === "paste" ? this.read() : this.start());
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    form.addEventListener("click", (event) => this.clicked(event.target as Element));
    form.addEventListener("change", (event) => this.changed(event.target as HTMLInputElement));
    dialog.addEventListener("close", () => {
      this.round += 1;
      if (dialog.returnValue === "done") this.forget();
    });
  }

  private part<T extends HTMLElement>(selector: string): T {
    const found = this.form.querySelector<T>(selector);
    if (!found) throw new Error(`the dialog has no ${selector}`);
    return found;
  }

  private get addresses(): HTMLTextAreaElement {
    return this.part<HTMLTextAreaElement>("[data-addresses]");
  }

  open(text = ""): void {
    if (text.trim() !== "") {
      this.addresses.value = [this.addresses.value.trimEnd(), text.trim()].filter(Boolean).join("\n");
      this.show("paste");
    }
    if (!this.dialog.open) this.dialog.showModal();
    if (this.step === "paste") this.addresses.focus();
  }

  private forget(): void {
    this.form.reset();
    this.addresses.value = "";
    this.items = [];
    this.attached = [];
    this.listAttached();
    fields.clean(this.form);
    this.part("[data-base]").hidden = true;
    this.show("paste");
  }

  private show(step: Step): void {
    this.step = step;
    for (const section of this.form.querySelectorAll<HTMLElement>("[data-step]")) section.hidden = section.dataset["step"] !== step;
    for (const mark of this.form.querySelectorAll<HTMLElement>("[data-mark]")) {
      if (mark.dataset["mark"] === step) mark.setAttribute("aria-current", "step");
      else mark.removeAttribute("aria-current");
    }
    this.part("[data-back]").hidden = step === "paste";
    this.part("[data-cancel]").hidden = step !== "paste";
    this.part("[data-options]").hidden = step !== "preview";
    this.part("[data-next]").hidden = step !== "paste";
    this.part("[data-start]").hidden = step === "paste";
    this.dialog.classList.toggle("is-large", step === "preview");
    this.sum();
  }

  private clicked(target: Element): void {
    if (target.closest("[data-back]")) this.show(this.step === "options" ? "preview" : "paste");
    else if (target.closest("[data-options]")) this.show("options");
    else if (target.closest("[data-look-more]")) {
      this.drawn += DRAWN;
      this.allowed += LOOKED_AT;
      this.draw();
      void this.look(this.round);
    }
    const all = target.closest<HTMLElement>("[data-all]")?.dataset["all"];
    if (all) this.decideAll(...(all.split(":") as ["overwrite" | "duplicates", string]));
    const gone = target.closest<HTMLElement>("[data-detach]")?.dataset["detach"];
    if (gone) {
      this.attached.splice(Number(gone), 1);
      this.listAttached();
    }
  }

  private changed(field: HTMLInputElement): void {
    if (field.dataset["file"] !== undefined && field.files) {
      const files = [...field.files];
      field.value = "";
      void this.attach(files);
    }
    if (field.dataset["chooseAll"] !== undefined) {
      for (const item of this.items) item.wanted = field.checked;
      this.draw();
    }
    if (field.dataset["at"] !== undefined || field.dataset["window"] !== undefined) {
      const radio = field.dataset["at"] !== undefined ? "later" : "night";
      this.part<HTMLInputElement>(`input[name=start][value=${radio}]`).checked = true;
    }
  }

  private decideAll(name: "overwrite" | "duplicates", value: string): void {
    for (const item of this.items) {
      if (name === "overwrite" ? item.look?.exists : item.look?.duplicate_of) item.entry[name] = value;
    }
    this.draw();
  }

  // files

  async attach(files: File[]): Promise<void> {
    fields.clean(this.form);
    for (const file of files) {
      try {
        const query = `name=${encodeURIComponent(file.name.slice(0, 200))}`;
        const read = await upload<Read>(`/api/v1/downloads/read?${query}`, file, "application/octet-stream");
        this.attached.push({ name: file.name, read });
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        fields.say(this.form, "file", `${file.name}: ${error.message} ${error.advice}`);
      }
    }
    this.show("paste");
    this.listAttached();
  }

  private listAttached(): void {
    const list = this.part("[data-files]");
    list.replaceChildren();
    this.attached.forEach((one, index) => {
      const line = document.createElement("li");
      const wrong = one.read.wrong > 0 ? `, ${one.read.wrong} wrong lines` : "";
      const text = document.createElement("span");
      text.textContent = `${one.name}: ${one.read.entries.length} files${wrong}`;
      const remove = document.createElement("button");
      remove.type = "button";
      remove.className = "btn btn-sm";
      remove.dataset["detach"] = String(index);
      remove.textContent = "Remove";
      remove.setAttribute("aria-label", `Remove ${one.name}`);
      line.append(text, remove);
      list.append(line);
    });
    list.hidden = this.attached.length === 0;
  }

  // reading

  private async read(): Promise<void> {
    fields.clean(this.form);
    const typed = this.addresses.value;
    const readings = this.attached.map((one) => one.read);
    if (typed.trim() === "" && readings.length === 0) {
      fields.say(this.form, "urls", "Paste an address, or choose a list.");
      this.addresses.focus();
      return;
    }
    await this.busy("[data-next]", async () => {
      if (typed.trim() !== "") readings.unshift(await this.readText(typed));
      const entries = readings.flatMap((one) => one.entries);
      const wrong = readings.reduce((sum, one) => sum + one.wrong, 0);
      const unread = readings.flatMap((one) => one.problems).find((problem) => UNREAD.includes(problem.code));
      if (unread) fields.say(this.form, "urls", `Line ${unread.line}: ${unread.detail} ${unread.advice}`);
      else if (entries.length === 0 || this.asksForBase(readings)) this.sayLines(readings);
      else this.preview(entries, readings, wrong);
    });
  }

  private readText(text: string): Promise<Read> {
    const base = this.part<HTMLInputElement>("#add-base").value.trim();
    return upload<Read>(`/api/v1/downloads/read${base ? `?base=${encodeURIComponent(base)}` : ""}`, text, "text/plain");
  }

  /** Names without an address are not left out in silence: the dialog asks where they are. */
  private asksForBase(readings: Read[]): boolean {
    const place = this.part("[data-base]");
    const missing = readings.some((one) => one.problems.some((problem) => problem.code === "list_base"));
    if (!missing || !place.hidden) return false;
    place.hidden = false;
    return true;
  }

  private sayLines(readings: Read[]): void {
    this.asksForBase(readings);
    for (const problem of readings.flatMap((one) => one.problems).slice(0, 5)) {
      fields.say(this.form, "urls", `Line ${problem.line}: ${problem.detail} ${problem.advice}`);
    }
    (this.part("[data-base]").hidden ? this.addresses : this.part("#add-base")).focus();
  }

  private preview(entries: Entry[], readings: Read[], wrong: number): void {
    const left = this.part("[data-left]");
    left.hidden = wrong === 0;
    this.part("[data-left-text]").textContent = wrong === 1 ? "One line cannot be fetched and is left out." : `${wrong} lines cannot be fetched and are left out.`;
    this.part("[data-left-list]").replaceChildren(
      ...readings.flatMap((one) => one.problems).slice(0, 20).map((problem) => {
        const line = document.createElement("li");
        line.textContent = `Line ${problem.line}, ${problem.text}: ${problem.detail}`;
        return line;
      }),
    );
    this.items = itemsOf(entries);
    this.drawn = DRAWN;
    this.allowed = LOOKED_AT;
    this.round += 1;
    this.show("preview");
    this.draw();
    void this.look(this.round);
  }

  // looking

  private async look(round: number): Promise<void> {
    const waiting = this.items.slice(0, this.allowed).filter((item) => item.look === null && !item.looking);
    for (const item of waiting) item.looking = true;
    this.draw();
    const worker = async (): Promise<void> => {
      for (let item = waiting.shift(); item && round === this.round; item = waiting.shift()) await this.lookAt(item, round);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }

  private async lookAt(item: Item, round: number): Promise<void> {
    try {
      const entries = [orderEntry({ ...item.entry, overwrite: null, duplicates: null })];
      const body = { ...fields.lookOptions(this.form), entries };
      const found = await request<{ items: Look[]; free: number | null }>("POST", "/api/v1/downloads/preview", body);
      if (round !== this.round) return;
      this.free = found.free;
      Object.assign(item, { look: found.items[0] ?? null, looking: false });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (round !== this.round) return;
      const rows = fields.refuse(this.form, error);
      Object.assign(item, { looking: false, error: rows.get(0) ?? error.message });
    }
    this.redraw(item);
    this.sum();
  }

  // drawing

  private draw(): void {
    const body = this.part<HTMLTableSectionElement>("[data-items]");
    body.replaceChildren(...this.items.slice(0, this.drawn).map((item, index) => row(item, index, () => this.sum())));
    this.sum();
  }

  private redraw(item: Item): void {
    const index = this.items.indexOf(item);
    const old = this.form.querySelector(`[data-item="${index}"]`);
    if (old && !old.contains(document.activeElement)) old.replaceWith(row(item, index, () => this.sum()));
    else if (old) old.querySelector(".add-resumable")?.replaceWith(row(item, index, () => this.sum()).querySelector(".add-resumable") ?? "");
  }

  private sum(): void {
    const sum = sumOf(this.items);
    const start = this.part<HTMLButtonElement>("[data-start]");
    this.part("[data-start-text]").textContent = sum.files === 1 ? "Download 1 file" : `Download ${sum.files.toLocaleString("en")} files`;
    start.disabled = sum.files === 0;
    const room = this.part("[data-room]");
    const known = sum.size > 0 ? size(sum.size) : "";
    const unknown = sum.unknown > 0 ? `${sum.unknown.toLocaleString("en")} of unknown size` : "";
    const free = this.free === null ? "" : `${size(this.free)} free`;
    room.textContent = this.step === "paste" ? "" : [known, unknown, free].filter(Boolean).join(" · ");
    room.classList.toggle("is-bad", this.free !== null && sum.size > this.free);
    const open = this.items.flatMap(questions);
    this.part("[data-ask]").hidden = open.length === 0;
    this.part("[data-ask-text]").textContent = open.length === 1 ? "Something is there already. Decide what to do." : "Some of it is there already. Decide for each, or for all.";
    this.part("[data-ask-exists]").hidden = !open.includes("exists");
    this.part("[data-ask-duplicate]").hidden = !open.includes("duplicate");
    const seen = this.items.filter((item) => item.look !== null || item.looking).length;
    const more = this.part("[data-more]");
    more.hidden = seen >= this.items.length && this.drawn >= this.items.length;
    this.part("[data-more-text]").textContent = `${seen.toLocaleString("en")} of ${this.items.length.toLocaleString("en")} were looked at. The others are downloaded all the same.`;
  }

  // starting

  private async start(): Promise<void> {
    fields.clean(this.form);
    if (this.items.some((item) => questions(item).length > 0)) {
      this.show("preview");
      this.form.querySelector<HTMLElement>(".is-open .add-choice")?.focus();
      return;
    }
    const kept = this.items.filter((item) => !isLeft(item));
    const when = fields.schedule(this.form);
    if (when["not_before"] === null) {
      this.show("options");
      fields.say(this.form, "not_before", "Say when to start.");
      return;
    }
    const body = { ...fields.options(this.form), ...when, duplicates: "ask", entries: kept.map((item) => orderEntry(item.entry)) };
    await this.busy("[data-start]", async () => {
      try {
        const added = await request<{ ids: string[] }>("POST", "/api/v1/downloads", body);
        this.dialog.close("done");
        announce(added.ids);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        this.refused(error, kept);
      }
    });
  }

  private refused(problem: Problem, kept: Item[]): void {
    const conflicts = (problem.details["conflicts"] ?? []) as Conflict[];
    for (const conflict of conflicts) {
      const item = kept[conflict.index];
      if (!item) continue;
      item.look ??= { url: "", seen: true, name: null, size: null, mime: null, resumable: null, duplicate_of: null, exists: null, code: null, error: null, advice: null };
      if (conflict.kind === "exists") item.look.exists = conflict.path ?? "";
      else if (conflict.job_id !== null) item.look.duplicate_of = conflict.job_id;
      else item.error = "It is twice in this list.";
    }
    if (conflicts.length > 0) {
      this.show("preview");
      this.draw();
      if (conflicts.some((one) => one.kind === "duplicate" && one.job_id === null)) fields.sayAbove(this.form, problem.message, "Untick what is there twice.");
      return;
    }
    const rows = fields.refuse(this.form, problem);
    for (const [index, message] of rows) {
      const item = kept[index];
      if (item) item.error = message;
    }
    if (rows.size > 0) {
      this.show("preview");
      this.draw();
    } else if (this.form.querySelector("[data-step=options] [aria-invalid]")) this.show("options");
    this.form.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }

  private async busy(selector: string, work: () => Promise<void>): Promise<void> {
    const button = this.part<HTMLButtonElement>(selector);
    button.disabled = true;
    try {
      await work();
    } catch (error) {
      if (error instanceof Problem) fields.refuse(this.form, error);
      else throw error;
    } finally {
      button.disabled = false;
    }
  }
}

function announce(ids: string[]): void {
  const text = ids.length === 1 ? "One download added" : `${ids.length.toLocaleString("en")} downloads added`;
  toast(ids.length === 0 ? "Nothing was left to add" : text, "good", "", ids.length === 0 ? undefined : { label: "Undo", act: () => void undo(ids) });
  refreshRegions();
}

/** Take back what was just added: in parts, because a request has a size. */
async function undo(ids: string[]): Promise<void> {
  try {
    for (let at = 0; at < ids.length; at += 500) await request("POST", "/api/v1/jobs/bulk", { action: "cancel", ids: ids.slice(at, at + 500) });
    toast(ids.length === 1 ? "The download is cancelled" : `${ids.length.toLocaleString("en")} downloads are cancelled`);
    refreshRegions();
  } catch (error) {
    toastError(error);
  }
}

let known: Promise<Dialog> | null = null;

async function load(): Promise<Dialog> {
  let dialog = document.getElementById("add");
  if (!dialog) {
    const answer = await fetch("/downloads/add/dialog", { credentials: "same-origin", headers: { Accept: "text/html" } });
    if (answer.redirected) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    if (!answer.ok) throw new Problem(answer.status, "", "", "The dialog cannot be shown.", "Load the page again.", new Map());
    const made = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("add");
    if (!made) throw new Problem(0, "", "", "The dialog cannot be shown.", "Sign in again.", new Map());
    document.body.append(made);
    dialog = made;
  }
  return new Dialog(dialog as HTMLDialogElement);
}

function dialog(): Promise<Dialog> {
  known ??= load().catch((error: unknown) => {
    known = null;
    throw error;
  });
  return known;
}

/** Whether whoever looks at this page may add downloads. */
export function mayAdd(): boolean {
  return document.querySelector("meta[name=adding]") !== null;
}

/** Open the dialog with a text, or with files that are read first. */
export async function openAdd(text = "", files: File[] = []): Promise<void> {
  try {
    const opened = await dialog();
    opened.open(text);
    if (files.length > 0) await opened.attach(files);
  } catch (error) {
    toastError(error);
  }
}

export function startAdd(): void {
  if (!mayAdd()) return;
  document.addEventListener(
    "click",
    (event) => {
      if (!(event.target as Element).closest("[data-open=add]")) return;
      event.preventDefault();
      event.stopPropagation();
      void openAdd();
    },
    { capture: true },
  );
  document.addEventListener("ferry:add", () => void openAdd());
  const filled = document.querySelector("dialog[data-filled]") !== null;
  if (filled || new URLSearchParams(location.search).get("open") === "add") void openAdd();
  else requestIdleCallback?.(() => void dialog().catch(() => null), { timeout: 3000 });
}
