// Deleting entries, with their files or without, and taking that back.

import { request } from "./api";
import { refreshRegions } from "./refresh";
import * as selection from "./selection";
import { toast, toastError } from "./toasts";
import { size } from "./units";

/** How long a delete can be taken back from the message about it; the server keeps it a minute. */
const UNDO_MS = 20_000;
/** Jobs one request may name. */
const MOST = 1000;

interface Answer {
  done: string[];
  refused: Record<string, string>;
}

let thrown: string[] = [];

/** Ask what to delete: `null` for nothing, else whether the files go too. */
function choose(title: string, text: string, files: string): Promise<boolean | null> {
  const dialog = document.getElementById("delete") as HTMLDialogElement;
  const put = (place: string, words: string): void => {
    const found = dialog.querySelector(place);
    if (found) found.textContent = words;
  };
  put("h2", title);
  put("[data-text]", text);
  put("[data-file]", files);
  const options = dialog.querySelector<HTMLElement>("[data-files]");
  if (options) options.hidden = files === "";
  const [entry, file] = dialog.querySelectorAll<HTMLInputElement>("input[name=files]");
  if (entry) entry.checked = true;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes" ? file?.checked === true : null), { once: true });
  });
}

function name(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** What would be lost besides the entries. */
function lost(rows: HTMLElement[], count: number): string {
  const held = rows.filter((row) => row.dataset["file"]);
  const bytes = size(held.reduce((sum, row) => sum + Number(row.dataset["bytes"] ?? 0), 0));
  if (rows.length < count) return "All files that the selected downloads fetched are removed from the disk.";
  if (held.length === 0) return "";
  const first = name(held[0]?.dataset["file"] ?? "");
  return held.length === 1 ? `${first}, ${bytes}, is removed from the disk.` : `${first} and ${held.length - 1} more, ${bytes} together, are removed from the disk.`;
}

/** Delete entries after asking, and offer to take it back. What has no file needs no question when it is one. */
export async function remove(target: selection.Target, count: number, rows: HTMLElement[]): Promise<void> {
  const files = lost(rows, count);
  const title = rows[0]?.dataset["title"] ?? "the entry";
  let both: boolean | null = false;
  if (count > 1 || files !== "") {
    const text = count === 1 ? title : `${count.toLocaleString("en")} entries leave every list.`;
    both = await choose(count === 1 ? "Delete this entry" : `Delete ${count.toLocaleString("en")} entries`, text, files);
  }
  if (both === null) return;
  try {
    const answer = await request<Answer>("POST", "/api/v1/jobs/bulk", { action: "delete", files: both, ...target });
    selection.clearSelection();
    refreshRegions();
    report(answer, count === 1 ? title : "", both);
  } catch (error) {
    toastError(error);
  }
}

function report(answer: Answer, title: string, files: boolean): void {
  const refused = Object.values(answer.refused);
  if (refused.length > 0) toast(`${refused.length.toLocaleString("en")} not deleted: ${refused[0] ?? ""}`, "bad");
  if (answer.done.length === 0) return;
  thrown = answer.done;
  const what = title !== "" ? title : `${thrown.length.toLocaleString("en")} entries`;
  const ids = thrown;
  toast(`Deleted ${what}${files ? ", with the file" : ""}`, "plain", "", { label: "Undo", act: () => void undo(ids), ms: UNDO_MS });
}

/** Bring back what was deleted. */
export async function undo(ids: string[] = thrown): Promise<void> {
  if (ids.length === 0) return;
  if (ids === thrown) thrown = [];
  try {
    let back = 0;
    for (let start = 0; start < ids.length; start += MOST) {
      back += (await request<Answer>("POST", "/api/v1/jobs/restore", { ids: ids.slice(start, start + MOST) })).done.length;
    }
    if (back === ids.length) toast(back === 1 ? "It is back" : `${back.toLocaleString("en")} entries are back`, "good");
    else toast(`${back} of ${ids.length} entries are back; the others are gone for good`, "bad");
    refreshRegions();
  } catch (error) {
    toastError(error);
  }
}

export function startDeleting(): void {
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("button[data-delete]");
    if (!button) return;
    const id = button.dataset["id"] ?? "";
    const row = button.closest<HTMLElement>("[data-job]");
    void remove({ ids: [id] }, 1, row ? [row] : []);
  });
}
