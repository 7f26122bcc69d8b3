// The order of the queue: rows are dragged by their grip with mouse, pen or finger, or moved with Alt and the arrow keys.

import { request } from "./api";
import { hold, refreshRegions } from "./refresh";
import { toast, toastError } from "./toasts";

const SETTLE_MS = 450;
/** Pixels from the edge of the window where the page scrolls along, and how far per frame. */
const EDGE = 90;
const PACE = 14;

type Place = { before: string } | { after: string } | { top: true } | { bottom: true };

function queued(body: Element): HTMLElement[] {
  return [...body.querySelectorAll<HTMLElement>('tr[data-state="queued"]')];
}

/** Write the numbers anew, in the order of the rows. */
function renumber(body: HTMLElement): void {
  const start = Number(body.dataset["start"] ?? 1);
  queued(body).forEach((row, index) => {
    const place = row.querySelector("[data-place]");
    if (place) place.textContent = String(start + index);
  });
}

function announce(row: HTMLElement): void {
  const region = document.getElementById("announce");
  const number = row.querySelector("[data-place]")?.textContent ?? "";
  if (region) region.textContent = `${row.dataset["title"] ?? ""}, now number ${number}`;
}

async function send(id: string, place: Place): Promise<void> {
  await request("POST", `/api/v1/jobs/${encodeURIComponent(id)}/move`, place);
}

/** Tell the server where a row stands now, next to its neighbours. */
async function settle(row: HTMLElement): Promise<void> {
  const rows = row.parentElement ? queued(row.parentElement) : [];
  const index = rows.indexOf(row);
  const [before, after] = [rows[index + 1]?.dataset["job"], rows[index - 1]?.dataset["job"]];
  // What is dragged down comes after the row above it, what is dragged up before the row below it.
  const down = row.dataset["down"] === "true";
  const place: Place | null = down && after ? { after } : before ? { before } : after ? { after } : null;
  if (!place) return;
  try {
    await send(row.dataset["job"] ?? "", place);
  } catch (error) {
    toastError(error);
  }
  refreshRegions();
}

class Drag {
  readonly #row: HTMLElement;
  readonly #body: HTMLElement;
  readonly #home: Element | null;
  readonly #release = hold();
  #y: number;
  #frame = 0;

  constructor(row: HTMLElement, body: HTMLElement, y: number) {
    this.#row = row;
    this.#body = body;
    this.#home = row.nextElementSibling;
    this.#y = y;
    row.classList.add("is-dragging");
    document.body.classList.add("is-moving");
    this.#follow();
  }

  to(y: number): void {
    this.#y = y;
  }

  /** Once per frame: scroll at the edges, and put the row where the pointer is. */
  #follow(): void {
    this.#frame = requestAnimationFrame(() => {
      if (this.#y < EDGE) window.scrollBy(0, -PACE);
      else if (this.#y > innerHeight - EDGE) window.scrollBy(0, PACE);
      const rows = queued(this.#body);
      const next = rows.filter((row) => row !== this.#row).find((row) => this.#y < middle(row));
      const now = rows[rows.indexOf(this.#row) + 1];
      if (next !== now) {
        this.#row.dataset["down"] = String(!next || (now !== undefined && rows.indexOf(next) > rows.indexOf(now)));
        if (next) next.before(this.#row);
        else rows[rows.length - 1]?.after(this.#row);
        renumber(this.#body);
      }
      this.#follow();
    });
  }

  end(keep: boolean): void {
    cancelAnimationFrame(this.#frame);
    this.#release();
    this.#row.classList.remove("is-dragging");
    document.body.classList.remove("is-moving");
    const moved = this.#row.nextElementSibling !== this.#home;
    if (!keep) {
      this.#body.insertBefore(this.#row, this.#home);
      renumber(this.#body);
    } else if (moved) {
      announce(this.#row);
      void settle(this.#row);
    }
  }
}

function middle(row: HTMLElement): number {
  const box = row.getBoundingClientRect();
  return box.top + box.height / 2;
}

function startDragging(): void {
  let drag: Drag | null = null;
  const end = (keep: boolean): void => {
    drag?.end(keep);
    drag = null;
  };
  document.addEventListener("pointerdown", (event) => {
    const grip = (event.target as Element).closest<HTMLElement>("[data-grip]");
    const [row, body] = [grip?.closest<HTMLElement>("tr"), grip?.closest<HTMLElement>("tbody")];
    if (!grip || !row || !body || event.button !== 0) return;
    event.preventDefault();
    grip.focus({ preventScroll: true });
    drag = new Drag(row, body, event.clientY);
  });
  document.addEventListener("pointermove", (event) => drag?.to(event.clientY));
  document.addEventListener("pointerup", () => end(true));
  document.addEventListener("pointercancel", () => end(false));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && drag) {
      event.stopImmediatePropagation();
      end(false);
    }
  });
}

/** Move with the keyboard; several steps in a row are one change. */
function startSteps(): void {
  let release: (() => void) | undefined;
  let pending: ReturnType<typeof setTimeout> | undefined;
  document.addEventListener("keydown", (event) => {
    if (!event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
    if (document.querySelector("dialog[open]")) return;
    const focused = document.activeElement?.closest<HTMLElement>("[data-order] tr");
    const row = focused ?? document.querySelector<HTMLElement>("[data-order] tr.is-cursor");
    const body = row?.closest<HTMLElement>("tbody");
    if (!row || !body || row.dataset["state"] !== "queued") return;
    event.preventDefault();
    const rows = queued(body);
    const down = event.key === "ArrowDown";
    const neighbour = rows[rows.indexOf(row) + (down ? 1 : -1)];
    if (!neighbour) return;
    const active = document.activeElement as HTMLElement | null;
    if (down) neighbour.after(row);
    else neighbour.before(row);
    row.dataset["down"] = String(down);
    if (focused) active?.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
    renumber(body);
    announce(row);
    release ??= hold();
    clearTimeout(pending);
    pending = setTimeout(() => {
      release?.();
      release = undefined;
      void settle(row);
    }, SETTLE_MS);
  });
}

async function toEnd(button: HTMLElement): Promise<void> {
  const menu = button.closest<HTMLDetailsElement>("details.menu");
  menu?.removeAttribute("open");
  const { id = "", title = "" } = menu?.dataset ?? {};
  const top = button.dataset["move"] === "top";
  try {
    await send(id, top ? { top: true } : { bottom: true });
    toast(top ? `${title} runs next` : `${title} runs last`, "good");
    refreshRegions();
  } catch (error) {
    toastError(error);
  }
}

export function startReorder(): void {
  startDragging();
  startSteps();
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("button[data-move]");
    if (button) void toEnd(button);
  });
}
