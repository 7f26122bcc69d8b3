// The dialog that says when a job may run.

import { Problem, request } from "./api";
import { showProblem } from "./forms";
import { refreshRegions } from "./refresh";
import { toast } from "./toasts";

/** A moment as `datetime-local` takes it: the clock of whoever looks, to the minute. */
function local(moment: string): string {
  const then = Date.parse(moment);
  if (Number.isNaN(then)) return "";
  return new Date(then - new Date(then).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

class Planner {
  readonly #dialog: HTMLDialogElement;
  readonly #form: HTMLFormElement;
  #id = "";
  #title = "";

  constructor(dialog: HTMLDialogElement, form: HTMLFormElement) {
    this.#dialog = dialog;
    this.#form = form;
    this.#field("night").addEventListener("change", () => this.#hours());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#save(this.#body());
    });
    dialog.querySelector("[data-anytime]")?.addEventListener("click", () => void this.#save({ not_before: null, window: null }));
  }

  open(button: HTMLElement): void {
    const menu = button.closest<HTMLDetailsElement>("details.menu");
    menu?.removeAttribute("open");
    this.#id = menu?.dataset["id"] ?? "";
    this.#title = menu?.dataset["title"] ?? "";
    const { window: hours = "", notBefore = "" } = menu?.dataset ?? {};
    const [from = "22:00", to = "06:00"] = (hours || "22:00-06:00").split("-");
    const text = this.#dialog.querySelector("[data-about]");
    if (text) text.textContent = this.#title;
    this.#field("night").checked = hours !== "";
    this.#field("from").value = from;
    this.#field("to").value = to;
    // A job that only waits for its hours has no moment of its own.
    this.#field("not_before").value = hours !== "" ? "" : local(notBefore);
    this.#field("not_before").min = local(new Date().toISOString());
    this.#hours();
    for (const place of this.#form.querySelectorAll("[data-error]")) place.textContent = "";
    this.#dialog.showModal();
  }

  #field(name: string): HTMLInputElement {
    return this.#form.elements.namedItem(name) as HTMLInputElement;
  }

  #hours(): void {
    const hours = this.#form.querySelector<HTMLElement>("[data-night]");
    if (hours) hours.hidden = !this.#field("night").checked;
    for (const name of ["from", "to"]) this.#field(name).disabled = !this.#field("night").checked;
  }

  #body(): Record<string, string | null> {
    const at = this.#field("not_before").value;
    const night = this.#field("night").checked;
    return {
      not_before: at === "" ? null : new Date(at).toISOString(),
      window: night ? `${this.#field("from").value}-${this.#field("to").value}` : null,
    };
  }

  async #save(body: Record<string, string | null>): Promise<void> {
    try {
      await request("POST", `/api/v1/jobs/${encodeURIComponent(this.#id)}/schedule`, body);
      this.#dialog.close();
      const planned = body["not_before"] ?? body["window"];
      toast(planned ? `${this.#title} waits for its time` : `${this.#title} runs at any time`, "good");
      refreshRegions();
    } catch (error) {
      if (error instanceof Problem) showProblem(this.#form, error);
      else throw error;
    }
  }
}

export function startSchedule(): void {
  const dialog = document.getElementById("schedule");
  const form = dialog?.querySelector("form");
  if (!(dialog instanceof HTMLDialogElement) || !form) return;
  const planner = new Planner(dialog, form);
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("button[data-schedule]");
    if (button) planner.open(button);
  });
}
