// Keyboard: `Ctrl K` palette, `?` sheet, `/` search, `n` add, `g` and a letter to go, `j k x Enter` in lists.

import { openDialog } from "./dialogs";
import { undo } from "./deleting";
import * as selection from "./selection";

const PLACES: Record<string, string> = {
  o: "/",
  d: "/downloads?tab=active",
  q: "/downloads?tab=queue",
  c: "/downloads?tab=completed",
  h: "/downloads/history",
  j: "/jobs",
  t: "/statistics",
  s: "/settings",
};

function typing(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
  if (target instanceof HTMLInputElement && ["checkbox", "radio", "button"].includes(target.type)) return false;
  return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
}

function rows(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>(".rows tbody tr[data-job]")];
}

function move(step: number): void {
  const all = rows();
  if (all.length === 0) return;
  const now = all.findIndex((row) => row.classList.contains("is-cursor"));
  const next = Math.min(all.length - 1, Math.max(0, now < 0 ? 0 : now + step));
  all.forEach((row, index) => row.classList.toggle("is-cursor", index === next));
  all[next]?.scrollIntoView({ block: "nearest" });
}

function onCursor(key: string): boolean {
  const row = document.querySelector<HTMLElement>(".rows tr.is-cursor");
  if (!row) return false;
  if (key === "Enter") row.querySelector<HTMLAnchorElement>("a.title")?.click();
  else if (key === "x" || key === "X") {
    const box = row.querySelector<HTMLInputElement>("input[data-select]");
    if (box) selection.toggle(box.value, !box.checked || key === "X", key === "X");
  } else if (key === "p") row.querySelector<HTMLButtonElement>("[data-act=pause], [data-act=resume]")?.click();
  else if (key === "s") row.querySelector<HTMLButtonElement>("[data-act=start]")?.click();
  else if (key === "Delete") row.querySelector<HTMLButtonElement>("[data-delete]")?.click();
  else return false;
  return true;
}

/** Keys for what is selected; the row under the cursor comes after it. */
function onSelection(key: string): boolean {
  if (key === "a") selection.selectAll();
  else if (key === "Escape" && selection.count() > 0) selection.clearSelection();
  else if (key === "Delete" && selection.count() > 0) document.querySelector<HTMLButtonElement>("[data-bulk=delete]")?.click();
  else return false;
  return true;
}

function goTo(key: string): void {
  const place = PLACES[key];
  if (!place) return;
  // The page may not be there yet, or not for everybody: the navigation knows.
  const path = place.split("?")[0] ?? "";
  if (document.querySelector(`a[href^="${CSS.escape(path)}"]`) ?? document.querySelector(`a[href="${path}"]`)) location.assign(place);
}

export function startKeys(openPalette: () => void): void {
  let going = false;
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      openPalette();
      return;
    }
    if (typing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    if (going) {
      going = false;
      goTo(event.key);
      return;
    }
    going = event.key === "g";
    if (event.key === "?") openDialog("keys");
    else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "u") void undo();
    else if (event.key === "n") {
      event.preventDefault(); // or it is typed into the field that gets the focus
      const button = document.querySelector<HTMLElement>("[data-new]");
      if (button) button.click();
      else document.dispatchEvent(new CustomEvent("ferry:add"));
    }
    else if (event.key === "/") {
      const field = document.querySelector<HTMLInputElement>("input[type=search]");
      if (!field) return;
      event.preventDefault();
      field.focus();
    } else if (event.key !== "Enter" || event.target === document.body || event.target instanceof HTMLInputElement) {
      if (onSelection(event.key) || onCursor(event.key)) event.preventDefault();
    }
  });
}
