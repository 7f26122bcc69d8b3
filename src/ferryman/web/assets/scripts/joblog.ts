// The log of one job: read in pieces from where the last one ended, followed while it grows, searched in place.

import { request } from "./api";
import type { Stream } from "./stream";

interface Piece {
  text: string;
  next_offset: number;
}

interface Line {
  time: string;
  level: string;
  message: string;
}

const LIMIT_LINES = 5000;
const LEVELS = ["debug", "info", "warning", "error"];

/** Read one line of a log: a time, a level and the message. A line of another form is all message. */
export function parseLine(text: string): Line {
  const found = /^(\d{4}-\d\d-\d\d[T ](\d\d:\d\d:\d\d)\S*)\s+\[?(debug|info|warning|error|critical)\]?:?\s+(.*)$/i.exec(text);
  if (!found) return { time: "", level: "info", message: text };
  const moment = new Date(found[1] ?? "");
  const clock = Number.isNaN(moment.getTime()) ? (found[2] ?? "") : moment.toLocaleTimeString(undefined, { hour12: false });
  return { time: clock, level: (found[3] ?? "info").toLowerCase(), message: found[4] ?? "" };
}

class JobLog {
  readonly #id: string;
  readonly #box: HTMLElement;
  readonly #follow: HTMLInputElement;
  readonly #query: HTMLInputElement;
  readonly #level: HTMLSelectElement;
  readonly #lines: Line[] = [];
  #offset = 0;
  #rest = "";
  #busy = false;
  #again = false;

  constructor(root: HTMLElement) {
    this.#id = root.dataset["log"] ?? "";
    this.#box = root.querySelector(".log") as HTMLElement;
    this.#follow = root.querySelector("[data-follow]") as HTMLInputElement;
    this.#query = root.querySelector("[data-log-query]") as HTMLInputElement;
    this.#level = root.querySelector("[data-log-level]") as HTMLSelectElement;
    this.#query.addEventListener("input", () => this.#draw(0));
    this.#level.addEventListener("change", () => this.#draw(0));
    this.#follow.addEventListener("change", () => this.#settle());
    this.#box.addEventListener("wheel", () => this.#atEnd(), { passive: true });
  }

  get id(): string {
    return this.#id;
  }

  /** Read everything that is new. Calls while one is under way cause one more reading after it. */
  async read(): Promise<void> {
    if (this.#busy) {
      this.#again = true;
      return;
    }
    this.#busy = true;
    try {
      let more = true;
      while (more) {
        const piece = await request<Piece>("GET", `/api/v1/jobs/${this.#id}/log?offset=${this.#offset}`);
        more = piece.next_offset > this.#offset;
        this.#offset = piece.next_offset;
        this.#take(piece.text);
      }
    } finally {
      this.#busy = false;
    }
    if (this.#again) {
      this.#again = false;
      await this.read();
    }
  }

  #take(text: string): void {
    const parts = (this.#rest + text).split("\n");
    this.#rest = parts.pop() ?? "";
    const from = this.#lines.length;
    this.#lines.push(...parts.map(parseLine));
    if (this.#lines.length > LIMIT_LINES) {
      this.#lines.splice(0, this.#lines.length - LIMIT_LINES);
      this.#draw(0);
    } else this.#draw(from);
  }

  #draw(from: number): void {
    if (from === 0) this.#box.replaceChildren();
    const least = LEVELS.indexOf(this.#level.value);
    const query = this.#query.value.trim().toLowerCase();
    const fresh = document.createDocumentFragment();
    for (const line of this.#lines.slice(from)) {
      const rank = line.level === "critical" ? 3 : LEVELS.indexOf(line.level);
      if (rank < least || (query !== "" && !line.message.toLowerCase().includes(query))) continue;
      fresh.append(this.#row(line, query));
    }
    this.#box.append(fresh);
    if (this.#box.childElementCount === 0 && this.#lines.length > 0) this.#box.textContent = "  No line matches.";
    else if (this.#box.childElementCount === 0) this.#box.textContent = "  Nothing has been written yet.";
    else if (this.#box.firstChild?.nodeType === Node.TEXT_NODE) this.#box.firstChild.remove();
    this.#settle();
  }

  #row(line: Line, query: string): HTMLElement {
    const row = document.createElement("div");
    row.className = `log-line level-${line.level}`;
    for (const [style, text] of [["log-time", line.time], ["log-level", line.level]] as const) {
      const part = document.createElement("span");
      part.className = style;
      part.textContent = text;
      row.append(part);
    }
    const message = document.createElement("span");
    const at = query === "" ? -1 : line.message.toLowerCase().indexOf(query);
    if (at < 0) message.textContent = line.message;
    else {
      const mark = document.createElement("mark");
      mark.textContent = line.message.slice(at, at + query.length);
      message.append(line.message.slice(0, at), mark, line.message.slice(at + query.length));
    }
    row.append(message);
    return row;
  }

  #settle(): void {
    if (this.#follow.checked) this.#box.scrollTop = this.#box.scrollHeight;
  }

  /** Scrolling up by hand stops following; reaching the end goes on with it. */
  #atEnd(): void {
    requestAnimationFrame(() => {
      this.#follow.checked = this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight < 24;
    });
  }
}

export function startLog(stream: Stream): void {
  const root = document.querySelector<HTMLElement>("[data-log]");
  if (!root) return;
  const log = new JobLog(root);
  void log.read();
  stream.on("log", (message) => {
    if (message.id === log.id) void log.read();
  });
  stream.on("job", (job) => {
    if (job.id === log.id) void log.read();
  });
  stream.on("open", () => void log.read());
}
