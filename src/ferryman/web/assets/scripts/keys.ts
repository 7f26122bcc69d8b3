// Keyboard: `Ctrl K` palette, `?` sheet, `/` search, `n` add, `g` and a letter to go, `j k x Enter` in lists.

import { openDialog } from "./dialogs";
import { showSelection } from "./actions";

const PLACES: Record<string, string> = { o: "/", d: "/downloads", j: "/jobs", s: "/settings" };

function typing(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
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
  else if (key === "x") {
    const box = row.querySelector<HTMLInputElement>("input[data-select]");
    if (box) box.checked = !box.checked;
    showSelection();
  } else if (key === "p") row.querySelector<HTMLButtonElement>("[data-act=pause], [data-act=resume]")?.click();
  else return false;
  return true;
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
      const place = PLACES[event.key];
      if (place) location.assign(place);
      return;
    }
    going = event.key === "g";
    if (event.key === "?") openDialog("keys");
    else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
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
    } else if (["x", "p"].includes(event.key) || (event.key === "Enter" && event.target === document.body)) {
      if (onCursor(event.key)) event.preventDefault();
    }
  });
}
