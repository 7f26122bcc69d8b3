// Buttons that act on jobs: `data-act` on one job, `data-bulk` on the selected ones, `data-many` on all that fit.

import { Problem, request } from "./api";
import { ask } from "./dialogs";
import { remove, startDeleting } from "./deleting";
import { refreshRegions } from "./refresh";
import * as selection from "./selection";
import { tellNow, tellThere } from "./telling";
import { toast, toastError } from "./toasts";
import { size } from "./units";

const SAID: Record<string, string> = {
  pause: "Pausing",
  resume: "Going on with",
  cancel: "Cancelling",
  retry: "Trying again:",
  start: "Starting",
};

const DONE: Record<string, string> = {
  pause: "Paused",
  resume: "Resumed",
  cancel: "Cancelled",
  retry: "Trying again:",
  start_now: "Started",
  priority: "Priority changed:",
  category: "Category changed:",
};

interface BulkAnswer {
  done: string[];
  refused: Record<string, string>;
}

async function agreed(button: HTMLElement): Promise<boolean> {
  const text = button.dataset["confirm"];
  if (!text) return true;
  const { confirmTitle = "Are you sure", confirmYes = "Continue" } = button.dataset;
  return ask({ title: confirmTitle, text, confirm: confirmYes, danger: true });
}

/** Do something with the button disabled, and say what went wrong. */
async function attempt(button: HTMLButtonElement, work: () => Promise<void>): Promise<void> {
  button.disabled = true;
  try {
    await work();
  } catch (error) {
    toastError(error);
  } finally {
    button.disabled = false;
  }
}

async function act(button: HTMLButtonElement): Promise<void> {
  const { act: action = "", id = "", title = "the job" } = button.dataset;
  button.closest("details.menu")?.removeAttribute("open");
  if (!(await agreed(button))) return;
  await attempt(button, async () => {
    await request("POST", `/api/v1/jobs/${encodeURIComponent(id)}/${action}`);
    toast(`${SAID[action] ?? action} ${title}`);
    refreshRegions();
  });
}

/** Say how many it was done to, and why not to the others. */
export function tell(action: string, answer: BulkAnswer): void {
  const refused = Object.values(answer.refused);
  const number = answer.done.length.toLocaleString("en");
  if (answer.done.length > 0) toast(`${DONE[action] ?? action} ${number}`, "good");
  if (refused.length > 0) toast(`${refused.length.toLocaleString("en")} refused: ${refused[0] ?? ""}`, "bad");
  if (answer.done.length + refused.length === 0) toast("Nothing to do");
}

async function many(action: string, more: Record<string, unknown> = {}): Promise<void> {
  const answer = await request<BulkAnswer>("POST", "/api/v1/jobs/bulk", { action, ...more, ...selection.target() });
  tell(action, answer);
  selection.clearSelection();
  refreshRegions();
}

/** What is given up when the selected jobs are cancelled. */
async function cancelAgreed(): Promise<boolean> {
  const number = selection.count();
  const rows = selection.rows();
  const bytes = rows.reduce((sum, row) => sum + Number(row.dataset["bytes"] ?? 0), 0);
  const arrived = bytes > 0 ? `The ${size(bytes)} that already arrived of them are given up.` : "None of them has begun; nothing is lost.";
  return ask({
    title: number === 1 ? "Cancel this job" : `Cancel ${number.toLocaleString("en")} jobs`,
    text: rows.length < number ? "What already arrived of them is given up." : arrived,
    confirm: number === 1 ? "Cancel the job" : "Cancel them",
    danger: true,
  });
}

/** Ask for the name of a category; `null` when the question is dismissed. */
export function askCategory(text: string, now: string): Promise<string | null> {
  const dialog = document.getElementById("category") as HTMLDialogElement;
  const field = dialog.querySelector("input") as HTMLInputElement;
  const label = dialog.querySelector("[data-text]");
  if (label) label.textContent = text;
  field.value = now;
  dialog.returnValue = "";
  dialog.showModal();
  field.select();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes" ? field.value.trim() : null), { once: true });
  });
}

async function bulk(button: HTMLButtonElement): Promise<void> {
  const action = button.dataset["bulk"] ?? "";
  if (action === "delete") return remove(selection.target(), selection.count(), selection.rows());
  if (action === "cancel" && !(await cancelAgreed())) return;
  if (action === "category") {
    const name = await askCategory(`File ${selection.count().toLocaleString("en")} under`, "");
    if (name === null) return;
    return attempt(button, () => many(action, { value: name === "" ? null : name }));
  }
  return attempt(button, () => many(action));
}

async function categorize(button: HTMLElement): Promise<void> {
  const menu = button.closest<HTMLDetailsElement>("details.menu");
  menu?.removeAttribute("open");
  const { id = "", title = "it" } = menu?.dataset ?? {};
  const name = await askCategory(`File ${title} under`, menu?.dataset["category"] ?? "");
  if (name === null) return;
  try {
    await request("POST", `/api/v1/jobs/${encodeURIComponent(id)}/category`, { category: name === "" ? null : name });
    toast(name === "" ? `${title} is in no category` : `${title} is filed under ${name}`, "good");
    refreshRegions();
  } catch (error) {
    toastError(error);
  }
}

async function copy(button: HTMLElement): Promise<void> {
  await navigator.clipboard.writeText(button.dataset["copy"] ?? "");
  toast("Copied");
}

/**
 * A button that sends one request: `data-send="DELETE /api/v1/tokens/x"`, optionally with a JSON body. `data-go` is the page
 * to go to, with the `{id}` of the answer; `data-undo` and `data-undo-body` are the request that takes it back.
 */
async function send(button: HTMLButtonElement): Promise<void> {
  const [method = "POST", path = ""] = (button.dataset["send"] ?? "").split(" ");
  if (!(await agreed(button))) return;
  await attempt(button, async () => {
    const { body, done = "", go, undo, undoBody = "{}" } = button.dataset;
    const answer = await request<{ id?: string } | null>(method, path, body === undefined ? undefined : JSON.parse(body));
    const told = { message: done, undo: undo === undefined ? null : { send: undo, body: JSON.parse(undoBody) as unknown } };
    if (go) {
      tellThere(told);
      location.assign(go.replace("{id}", encodeURIComponent(answer?.id ?? "")));
    } else {
      tellNow(told);
      refreshRegions();
    }
  });
}

/** A button for all that fit: `data-many` is the body of a bulk action. */
async function everything(button: HTMLButtonElement): Promise<void> {
  if (!(await agreed(button))) return;
  await attempt(button, async () => {
    const body = JSON.parse(button.dataset["many"] ?? "{}") as { action: string };
    tell(body.action, await request<BulkAnswer>("POST", "/api/v1/jobs/bulk", body));
    refreshRegions();
  });
}

function pressed(event: MouseEvent): void {
  const button = (event.target as Element).closest<HTMLButtonElement>("button");
  if (!button) return;
  if (button.dataset["act"]) void act(button);
  else if (button.dataset["bulk"]) void bulk(button);
  else if (button.dataset["send"]) void send(button);
  else if (button.dataset["many"]) void everything(button);
  else if (button.dataset["copy"]) void copy(button);
  else if (button.dataset["categorize"] !== undefined) void categorize(button);
  else if (button.dataset["theme"]) {
    document.dispatchEvent(new CustomEvent("ferry:theme", { detail: button.dataset["theme"] }));
    button.closest("details")?.removeAttribute("open");
  }
}

export function startActions(): void {
  document.addEventListener("click", pressed);
  document.addEventListener("change", (event) => {
    const field = event.target as HTMLSelectElement;
    if (field.dataset["bulkPriority"] === undefined || field.value === "") return;
    const value = Number(field.value);
    field.value = "";
    void many("priority", { value }).catch((error: unknown) => {
      if (error instanceof Problem) toastError(error);
      else throw error;
    });
  });
  selection.startSelection();
  startDeleting();
}
