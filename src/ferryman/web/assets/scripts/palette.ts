// The palette: go anywhere, do anything. Its entries are the links and buttons the page itself offers.

import { openDialog } from "./dialogs";
import { request } from "./api";
import { icon } from "./icons";

interface Entry {
  label: string;
  hint: string;
  icon: string;
  run: () => void;
}

function offered(): Entry[] {
  return [...document.querySelectorAll<HTMLElement>("[data-command]")].map((source) => ({
    label: source.dataset["command"] ?? "",
    hint: source.dataset["hint"] ?? "",
    icon: source.dataset["icon"] ?? "arrow-right",
    run: () => source.click(),
  }));
}

/** What is typed can always be looked for in the list of all jobs. */
function lookup(query: string): Entry[] {
  if (query === "") return [];
  const go = (): void => location.assign(`/jobs?q=${encodeURIComponent(query)}`);
  return [{ label: `Search all jobs for “${query}”`, hint: "Jobs", icon: "search", run: go }];
}

const LOOK_MS = 150;
const MOST_JOBS = 6;
const STATE_ICONS: Record<string, string> = {
  queued: "clock",
  running: "progress",
  paused: "player-pause",
  waiting: "hourglass",
  succeeded: "circle-check",
  failed: "alert-circle",
  cancelled: "ban",
};

interface Found {
  items: { id: string; title: string; state: string }[];
}

/** Jobs with this in their name, the newest first. */
async function jobsNamed(query: string): Promise<Entry[]> {
  const found = await request<Found>("GET", `/api/v1/jobs?limit=${MOST_JOBS}&q=${encodeURIComponent(query)}`);
  return found.items.map((job) => ({
    label: job.title,
    hint: job.state,
    icon: STATE_ICONS[job.state] ?? "file-text",
    run: () => location.assign(`/jobs/${encodeURIComponent(job.id)}`),
  }));
}

/** True when the letters of `query` occur in `label` in this order. */
function matches(label: string, query: string): boolean {
  let from = 0;
  const text = label.toLowerCase();
  for (const letter of query.toLowerCase()) {
    if (letter === " ") continue;
    const found = text.indexOf(letter, from);
    if (found < 0) return false;
    from = found + 1;
  }
  return true;
}

class Palette {
  readonly #dialog = document.getElementById("palette") as HTMLDialogElement;
  readonly #field = this.#dialog.querySelector("input") as HTMLInputElement;
  readonly #list = this.#dialog.querySelector("ul") as HTMLUListElement;
  #entries: Entry[] = [];
  #cursor = 0;
  #jobs: Entry[] = [];
  #pending: ReturnType<typeof setTimeout> | undefined;

  start(): void {
    this.#field.addEventListener("input", () => {
      this.#draw();
      this.#look();
    });
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    this.#list.addEventListener("click", (event) => {
      const row = (event.target as Element).closest("li");
      if (row) this.#run([...this.#list.children].indexOf(row));
    });
  }

  open(): void {
    this.#field.value = "";
    this.#jobs = [];
    this.#draw();
    openDialog("palette");
    this.#field.focus();
  }

  /** Ask for jobs a moment after the last letter; an answer to an earlier question is dropped. */
  #look(): void {
    clearTimeout(this.#pending);
    const query = this.#field.value.trim();
    if (query.length < 2) {
      this.#jobs = [];
      return;
    }
    this.#pending = setTimeout(() => {
      void jobsNamed(query)
        .catch(() => [])
        .then((found) => {
          if (this.#field.value.trim() !== query) return;
          this.#jobs = found;
          this.#draw(this.#cursor);
        });
    }, LOOK_MS);
  }

  #draw(cursor = 0): void {
    const query = this.#field.value.trim();
    const places = offered().filter((entry) => matches(entry.label, query));
    this.#entries = [...places, ...(query === "" ? [] : this.#jobs), ...lookup(query)];
    this.#cursor = Math.min(cursor, Math.max(0, this.#entries.length - 1));
    this.#list.replaceChildren(
      ...this.#entries.map((entry, index) => {
        const row = document.createElement("li");
        row.id = `palette-${index}`;
        row.setAttribute("role", "option");
        const hint = document.createElement("span");
        hint.className = "hint";
        hint.textContent = entry.hint;
        row.append(icon(entry.icon), entry.label, hint);
        return row;
      }),
    );
    this.#mark();
  }

  #mark(): void {
    [...this.#list.children].forEach((row, index) => {
      row.setAttribute("aria-selected", String(index === this.#cursor));
      if (index === this.#cursor) row.scrollIntoView({ block: "nearest" });
    });
    this.#field.setAttribute("aria-activedescendant", `palette-${this.#cursor}`);
  }

  #key(event: KeyboardEvent): void {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0) {
      event.preventDefault();
      const count = this.#entries.length;
      this.#cursor = count === 0 ? 0 : (this.#cursor + step + count) % count;
      this.#mark();
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.#run(this.#cursor);
    }
  }

  #run(index: number): void {
    const entry = this.#entries[index];
    if (!entry) return;
    this.#dialog.close();
    entry.run();
  }
}

/** Prepare the palette and return the function that opens it. */
export function startPalette(): () => void {
  if (!document.getElementById("palette")) return () => undefined;
  const palette = new Palette();
  palette.start();
  document.addEventListener("click", (event) => {
    if ((event.target as Element).closest("[data-palette]")) palette.open();
  });
  return () => palette.open();
}
