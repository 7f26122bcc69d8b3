// Links, texts and lists that are dropped or pasted anywhere on a page go to the add dialog.

import { mayAdd, openAdd } from "./add";

const TYPES = ["Files", "text/uri-list", "text/plain"];

function sheet(): HTMLElement {
  let made = document.getElementById("drop");
  if (!made) {
    made = document.createElement("div");
    made.id = "drop";
    made.className = "drop";
    made.hidden = true;
    const text = document.createElement("p");
    text.textContent = "Drop links, a list or a Metalink file to download";
    made.append(text);
    document.body.append(made);
  }
  return made;
}

function textOf(data: DataTransfer): string {
  const list = data.getData("text/uri-list").split(/\r?\n/).filter((line) => line.trim() !== "" && !line.startsWith("#"));
  return list.length > 0 ? list.join("\n") : data.getData("text/plain");
}

function writable(target: EventTarget | null): boolean {
  const element = target instanceof Element ? target : null;
  return element !== null && (element.closest("input, textarea, select") !== null || (element as HTMLElement).isContentEditable);
}

/** Whether something of this page is dragged: rows that are put in order, the bookmarklet. */
let own = false;

function startDragging(): void {
  document.addEventListener("dragstart", () => (own = true));
  document.addEventListener("dragend", () => (own = false));
  const shows = (event: DragEvent): boolean =>
    !own && [...(event.dataTransfer?.types ?? [])].some((type) => TYPES.includes(type));
  document.addEventListener("dragover", (event) => {
    if (!shows(event)) return;
    if (writable(event.target) && !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    const place = sheet();
    // A dialog lies above everything else: the sheet has to be inside the one that is open.
    const open = document.querySelector("dialog[open]");
    if (place.parentElement !== (open ?? document.body)) (open ?? document.body).append(place);
    place.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) sheet().hidden = true;
  });
  document.addEventListener("drop", (event) => {
    sheet().hidden = true;
    if (!shows(event) || !event.dataTransfer) return;
    if (writable(event.target) && !event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    const files = [...event.dataTransfer.files];
    void openAdd(files.length > 0 ? "" : textOf(event.dataTransfer), files);
  });
}

function startPasting(): void {
  document.addEventListener("paste", (event) => {
    if (writable(event.target) || document.querySelector("dialog[open]") !== null || !event.clipboardData) return;
    const files = [...event.clipboardData.files];
    const text = event.clipboardData.getData("text/plain");
    if (files.length === 0 && text.trim() === "") return;
    event.preventDefault();
    void openAdd(files.length > 0 ? "" : text, files);
  });
}

/** The bookmarklet, and the handler of `web+ferry:` links: both only lead to the page that shows the dialog. */
function startHelp(): void {
  const link = document.querySelector<HTMLAnchorElement>("[data-bookmarklet]");
  if (link) {
    const page = `${location.origin}/downloads/add`;
    link.href = `javascript:void(open(${JSON.stringify(page)}+"?url="+encodeURIComponent(String(getSelection()).match(/^\\s*[a-z][a-z+]*:\\S+\\s*$/i)?String(getSelection()).trim():location.href)))`;
    link.addEventListener("click", (event) => event.preventDefault());
  }
  document.querySelector("[data-protocol]")?.addEventListener("click", () => {
    navigator.registerProtocolHandler("web+ferry", `${location.origin}/downloads/add?url=%s`);
  });
}

export function startDrop(): void {
  startHelp();
  if (!mayAdd()) return;
  startDragging();
  startPasting();
}
