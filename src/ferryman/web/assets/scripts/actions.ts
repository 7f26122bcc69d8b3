// Buttons that act on jobs: `data-act` on one job, `data-bulk` on the selected ones.

import { Problem, request } from "./api";
import { ask } from "./dialogs";
import { refreshRegions } from "./live";
import { toast, toastError } from "./toasts";

const SAID: Record<string, string> = {
  pause: "Pausing",
  resume: "Going on with",
  cancel: "Cancelling",
  retry: "Trying again:",
};

async function agreed(button: HTMLElement): Promise<boolean> {
  const text = button.dataset["confirm"];
  if (!text) return true;
  const { confirmTitle = "Are you sure", confirmYes = "Continue" } = button.dataset;
  return ask({ title: confirmTitle, text, confirm: confirmYes, danger: true });
}

async function act(button: HTMLButtonElement): Promise<void> {
  const { act: action = "", id = "", title = "the job" } = button.dataset;
  if (!(await agreed(button))) return;
  button.disabled = true;
  try {
    await request("POST", `/api/v1/jobs/${encodeURIComponent(id)}/${action}`);
    toast(`${SAID[action] ?? action} ${title}`);
    refreshRegions();
  } catch (error) {
    toastError(error);
  } finally {
    button.disabled = false;
  }
}

function selected(): string[] {
  return [...document.querySelectorAll<HTMLInputElement>("input[data-select]:checked")].map((box) => box.value);
}

/** Show the bar of bulk actions while something is selected. */
export function showSelection(): void {
  const bar = document.getElementById("bulk");
  if (!bar) return;
  const count = selected().length;
  bar.hidden = count === 0;
  const place = bar.querySelector("[data-selected]");
  if (place) place.textContent = `${count} selected`;
  const all = document.querySelector<HTMLInputElement>("input[data-select-all]");
  const boxes = document.querySelectorAll("input[data-select]").length;
  if (all) {
    all.checked = count > 0 && count === boxes;
    all.indeterminate = count > 0 && count < boxes;
  }
}

function clearSelection(): void {
  for (const box of document.querySelectorAll<HTMLInputElement>("input[data-select]")) box.checked = false;
  showSelection();
}

interface BulkAnswer {
  done: string[];
  refused: Record<string, string>;
}

/** Ended jobs are removed one by one; one that is refused does not stop the others. */
async function remove(ids: string[]): Promise<BulkAnswer> {
  const answer: BulkAnswer = { done: [], refused: {} };
  for (const id of ids) {
    try {
      await request("DELETE", `/api/v1/jobs/${encodeURIComponent(id)}`);
      answer.done.push(id);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      answer.refused[id] = error.message;
    }
  }
  return answer;
}

async function bulk(button: HTMLButtonElement): Promise<void> {
  const action = button.dataset["bulk"] ?? "";
  const ids = selected();
  if (!(await agreed(button))) return;
  button.disabled = true;
  try {
    const answer = action === "delete" ? await remove(ids) : await request<BulkAnswer>("POST", "/api/v1/jobs/bulk", { action, ids });
    const refused = Object.values(answer.refused);
    if (answer.done.length > 0) toast(`${button.textContent?.trim() ?? action}: ${answer.done.length} done`, "good");
    if (refused.length > 0) toast(`${refused.length} refused: ${refused[0] ?? ""}`, "bad");
    clearSelection();
    refreshRegions();
  } catch (error) {
    toastError(error);
  } finally {
    button.disabled = false;
  }
}

async function copy(button: HTMLElement): Promise<void> {
  await navigator.clipboard.writeText(button.dataset["copy"] ?? "");
  toast("Copied");
}

/** A button that sends one request: `data-send="DELETE /api/v1/tokens/x"`, optionally with a JSON body. */
async function send(button: HTMLButtonElement): Promise<void> {
  const [method = "POST", path = ""] = (button.dataset["send"] ?? "").split(" ");
  if (!(await agreed(button))) return;
  button.disabled = true;
  try {
    const { body, done } = button.dataset;
    await request(method, path, body === undefined ? undefined : JSON.parse(body));
    if (done) toast(done, "good");
    if (button.dataset["go"]) location.assign(button.dataset["go"]);
    else refreshRegions();
  } catch (error) {
    toastError(error);
  } finally {
    button.disabled = false;
  }
}

export function startActions(): void {
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLButtonElement>("button");
    if (!button) return;
    if (button.dataset["act"]) void act(button);
    else if (button.dataset["bulk"]) void bulk(button);
    else if (button.dataset["send"]) void send(button);
    else if (button.dataset["copy"]) void copy(button);
    else if (button.dataset["deselect"] !== undefined) clearSelection();
    else if (button.dataset["theme"]) {
      document.dispatchEvent(new CustomEvent("ferry:theme", { detail: button.dataset["theme"] }));
      button.closest("details")?.removeAttribute("open");
    }
  });
  document.addEventListener("change", (event) => {
    const box = event.target as HTMLInputElement;
    if (box.dataset["selectAll"] !== undefined) {
      for (const one of document.querySelectorAll<HTMLInputElement>("input[data-select]")) one.checked = box.checked;
    }
    if (box.dataset["selectAll"] !== undefined || box.dataset["select"] !== undefined) showSelection();
  });
  document.addEventListener("htmx:after:swap", showSelection);
}
