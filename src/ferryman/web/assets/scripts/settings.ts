// The page of settings: what was changed and not saved, checks while typing, saving all or nothing.

import { Problem, request } from "./api";
import { startHours } from "./hours";
import { startCarrying } from "./settingsfile";
import { refreshTimes } from "./times";
import { toast, toastError } from "./toasts";

type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

/** The value of a field as it is compared with what is saved. */
function held(field: Field): string {
  if (field instanceof HTMLInputElement && field.type === "checkbox") return String(field.checked);
  return field.value.trim();
}

function put(field: Field, text: string): void {
  if (field instanceof HTMLInputElement && field.type === "checkbox") field.checked = text === "true";
  else field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

/** What is sent: numbers as numbers when they are, so that the server refuses what is none by its own words. */
function sent(field: Field): unknown {
  const text = held(field);
  if (field.dataset["kind"] === "switch") return text === "true";
  if (field.dataset["kind"] === "number" && /^-?\d{1,15}$/.test(text)) return Number(text);
  if (field.dataset["kind"] === "path" && text === "") return null;
  return text;
}

class SettingsPage {
  /** Settings that go back to what they are without the console. */
  private readonly resets = new Set<string>();
  private timer = 0;
  private asked = 0;

  constructor(private readonly page: HTMLElement) {
    page.addEventListener("input", (event) => this.changed(event.target as Element));
    page.addEventListener("submit", (event) => {
      if ((event.target as Element).id !== "settings") return;
      event.preventDefault();
      void this.save();
    });
    page.addEventListener("click", (event) => this.clicked(event.target as Element));
    document.addEventListener("keydown", (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "s") return;
      event.preventDefault();
      if (this.dirty().length > 0) void this.save();
    });
    addEventListener("beforeunload", (event) => {
      if (this.dirty().length > 0) event.preventDefault();
    });
    this.show();
  }

  private fields(): Field[] {
    return [...this.page.querySelectorAll<Field>("#settings [data-saved]")];
  }

  private dirty(): Field[] {
    return this.fields().filter(
      (field) => held(field) !== (field.dataset["saved"] ?? "").trim() || this.resets.has(field.name),
    );
  }

  private values(): Record<string, unknown> {
    return Object.fromEntries(this.dirty().map((field) => [field.name, this.resets.has(field.name) ? null : sent(field)]));
  }

  private row(name: string): HTMLElement | null {
    return this.page.querySelector<HTMLElement>(`[data-setting="${CSS.escape(name)}"]`);
  }

  private clicked(target: Element): void {
    const reset = target.closest<HTMLElement>("[data-set-reset]")?.dataset["setReset"];
    if (reset) this.reset(reset);
    else if (target.closest("[data-set-discard]")) this.discard();
  }

  private reset(name: string): void {
    const field = this.fields().find((one) => one.name === name);
    if (!field) return;
    put(field, field.dataset["fallback"] ?? "");
    this.resets.add(name);
    this.show();
    this.check();
  }

  private discard(): void {
    this.resets.clear();
    for (const field of this.dirty()) put(field, field.dataset["saved"] ?? "");
    this.say(new Map());
    this.show();
  }

  private changed(target: Element): void {
    if (target.matches("[data-set-search]")) {
      this.search((target as HTMLInputElement).value);
      return;
    }
    if (!target.matches("[data-saved]")) return;
    this.resets.delete((target as Field).name);
    this.show();
    this.check();
  }

  /** Ask the server what it would say, soon after the last key. */
  private check(): void {
    clearTimeout(this.timer);
    const number = ++this.asked;
    this.timer = setTimeout(() => {
      const values = this.values();
      if (Object.keys(values).length === 0) {
        this.say(new Map());
        return;
      }
      request("PATCH", "/api/v1/settings?dry_run=true", values).then(
        () => {
          if (number === this.asked) this.say(new Map());
        },
        (error: unknown) => {
          if (number === this.asked && error instanceof Problem && error.fields.size > 0) this.say(error.fields);
        },
      );
    }, 300);
  }

  /** Say what is wrong beside each field. */
  private say(messages: ReadonlyMap<string, string>): void {
    for (const field of this.fields()) {
      const place = this.page.querySelector(`#error-${CSS.escape(field.name)}`);
      const message = messages.get(field.name) ?? "";
      if (place && place.textContent !== message) place.textContent = message;
      if (message) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
  }

  /** Mark what is changed, and show the bar that saves it. */
  private show(): void {
    const dirty = new Set(this.dirty().map((field) => field.name));
    const sections = new Set<string>();
    for (const row of this.page.querySelectorAll<HTMLElement>("[data-setting]")) {
      const changed = dirty.has(row.dataset["setting"] ?? "");
      row.classList.toggle("is-changed", changed);
      if (changed) sections.add(row.closest<HTMLElement>("[data-section]")?.dataset["section"] ?? "");
    }
    for (const mark of this.page.querySelectorAll<HTMLElement>("[data-set-dirty]")) {
      mark.hidden = !sections.has(mark.dataset["setDirty"] ?? "");
    }
    const bar = this.page.querySelector<HTMLElement>("[data-set-bar]");
    if (!bar) return;
    bar.hidden = dirty.size === 0;
    const rows = [...dirty].map((name) => this.row(name));
    const [count, names, later] = ["count", "names", "later"].map((part) =>
      bar.querySelector<HTMLElement>(`[data-set-${part}]`),
    );
    if (count) count.textContent = dirty.size === 1 ? "1 change is not saved." : `${dirty.size} changes are not saved.`;
    if (names) names.textContent = rows.map((row) => row?.dataset["label"] ?? "").join(", ");
    if (later) later.hidden = !rows.some((row) => row?.dataset["live"] === "false");
  }

  private search(text: string): void {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const section of this.page.querySelectorAll<HTMLElement>("[data-section]")) {
      let shown = 0;
      for (const row of section.querySelectorAll<HTMLElement>("[data-setting]")) {
        row.hidden = !words.every((word) => row.dataset["words"]?.includes(word));
        if (!row.hidden) shown += 1;
      }
      section.hidden = shown === 0;
      found += shown;
    }
    const none = this.page.querySelector<HTMLElement>("[data-set-none]");
    if (none) none.hidden = found > 0;
  }

  private async save(): Promise<void> {
    const values = this.values();
    const number = Object.keys(values).length;
    if (number === 0) return;
    const form = this.page.querySelector<HTMLElement>("#settings");
    const button = form?.querySelector<HTMLButtonElement>("button[type=submit]");
    clearTimeout(this.timer);
    this.asked += 1;
    if (button) button.disabled = true;
    try {
      await request("PATCH", "/api/v1/settings", values, { "If-Match": `"${form?.dataset["settings"] ?? ""}"` });
      await this.reload();
      toast(number === 1 ? "The setting is saved" : `${number} settings are saved`, "good");
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.say(error.fields);
      if (error.fields.size > 0) this.page.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
      if (error.fields.size === 0 || error.code === "settings_changed") toastError(error);
    } finally {
      if (button) button.disabled = false;
    }
  }

  /** Take the form anew from the server; what is searched for stays. */
  async reload(): Promise<void> {
    const answer = await fetch("/settings/form", { credentials: "same-origin", headers: { Accept: "text/html" } });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#settings");
    const old = this.page.querySelector("#settings");
    if (!answer.ok || !fresh || !old) {
      location.reload();
      return;
    }
    const focused = document.activeElement?.id ?? "";
    old.replaceWith(fresh);
    this.resets.clear();
    if (focused) document.getElementById(focused)?.focus();
    refreshTimes();
    startHours(this.page);
    this.search(this.page.querySelector<HTMLInputElement>("[data-set-search]")?.value ?? "");
    this.show();
  }
}

export function startSettings(): void {
  if (!document.querySelector("[data-settings]")) return;
  const content = document.getElementById("content");
  if (!content) return;
  const page = new SettingsPage(content);
  startHours(content);
  startCarrying(() => page.reload());
}
