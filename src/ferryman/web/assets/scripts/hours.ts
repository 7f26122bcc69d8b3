// The bandwidth timetable as a grid of hours that are painted. The text field beside it is the truth: painting writes
// it, and the server says what it means.

import { Problem, request } from "./api";
import { rate as rateWords } from "./units";

/** A limit as people type it, `0` for none, null where no rule counts. */
type Limit = string | null;

interface Meaning {
  cells: Limit[][];
  whole_hours: boolean;
  weekday: number;
  hour: number;
  zone: string;
  rate_limit: number;
  changes_at: string | null;
}

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;

function clock(hour: number): string {
  return `${String(hour).padStart(2, "0")}:00`;
}

/** `[0, 1, 2, 5]` as `mon-wed,sat`. */
function dayWords(days: readonly number[]): string {
  const parts: string[] = [];
  let begin = 0;
  while (begin < days.length) {
    let end = begin;
    while (end + 1 < days.length && days[end + 1] === (days[end] ?? 0) + 1) end += 1;
    const [first, last] = [DAYS[days[begin] ?? 0] ?? "", DAYS[days[end] ?? 0] ?? ""];
    if (end - begin > 1) parts.push(`${first}-${last}`);
    else parts.push(...days.slice(begin, end + 1).map((day) => DAYS[day] ?? ""));
    begin = end + 1;
  }
  return parts.join(",");
}

/** The hours of one day with the same limit, each as `[from, to, limit]`. */
function runsOf(day: readonly Limit[]): [number, number, string][] {
  const runs: [number, number, string][] = [];
  day.forEach((limit, hour) => {
    const last = runs.at(-1);
    if (limit === null) return;
    if (last && last[1] === hour && last[2] === limit) last[1] = hour + 1;
    else runs.push([hour, hour + 1, limit]);
  });
  return runs;
}

/** The text of a grid, days with the same hours in one rule. */
export function textOf(cells: readonly (readonly Limit[])[]): string {
  const groups = new Map<string, number[]>();
  cells.forEach((day, index) => {
    const runs = JSON.stringify(runsOf(day));
    groups.set(runs, [...(groups.get(runs) ?? []), index]);
  });
  const rules: string[] = [];
  for (const [key, days] of groups) {
    for (const [from, to, limit] of JSON.parse(key) as [number, number, string][]) {
      const words = days.length === 7 ? "" : `${dayWords(days)} `;
      const whole = from === 0 && to === 24;
      rules.push(whole && words ? `${words.trim()}=${limit}` : `${words}${clock(from)}-${clock(to)}=${limit}`);
    }
  }
  return rules.join(", ");
}

function limitWords(limit: Limit): string {
  return limit === null ? "the speed limit counts" : limit === "0" ? "no limit" : limit;
}

class Hours {
  private cells: Limit[][] = DAYS.map(() => Array<Limit>(24).fill(null));
  private before: Limit[][] = this.cells;
  private anchor: HTMLElement | null = null;
  private timer = 0;
  private asked = 0;

  constructor(
    private readonly box: HTMLElement,
    private readonly field: HTMLTextAreaElement,
    private readonly limit: HTMLInputElement | null,
  ) {
    const soon = (): void => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => void this.load(), 250);
    };
    field.addEventListener("input", soon);
    limit?.addEventListener("input", soon);
    const grid = box.querySelector<HTMLElement>("[data-hours-grid]");
    if (grid) {
      if (box.dataset["hours"] === "true") this.startPainting(grid);
      grid.addEventListener("keydown", (event) => this.pressed(event));
    }
    this.cell(0, 8)?.setAttribute("tabindex", "0");
    void this.load();
  }

  private cell(day: number, hour: number): HTMLElement | null {
    return this.box.querySelector<HTMLElement>(`.hours-cell[data-day="${day}"][data-hour="${hour}"]`);
  }

  private async load(): Promise<void> {
    const number = ++this.asked;
    const body = { rate_schedule: this.field.value, rate_limit: this.limit?.value.trim() || "0" };
    try {
      const meaning = await request<Meaning>("POST", "/api/v1/settings/timetable", body);
      if (number !== this.asked) return;
      this.cells = meaning.cells;
      this.draw();
      this.tell(meaning);
    } catch (error) {
      if (!(error instanceof Problem)) throw error; // The field itself says what is wrong with it.
    }
  }

  private tell(meaning: Meaning): void {
    for (const cell of this.box.querySelectorAll(".hours-cell")) cell.removeAttribute("aria-current");
    this.cell(meaning.weekday, meaning.hour)?.setAttribute("aria-current", "time");
    const now = this.box.querySelector("[data-hours-now]");
    const partly = this.box.querySelector<HTMLElement>("[data-hours-partly]");
    if (partly) partly.hidden = meaning.whole_hours;
    if (!now) return;
    const limit = meaning.rate_limit ? rateWords(meaning.rate_limit) : "no limit";
    const then = meaning.changes_at ? new Date(meaning.changes_at) : null;
    const when = then?.toLocaleString(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });
    now.textContent = `Now ${limit}${when ? ` until ${when} your time` : ""}. Hours are those of the server (${meaning.zone}).`;
  }

  private draw(): void {
    const limits = [...new Set(this.cells.flat())].filter((limit): limit is string => limit !== null && limit !== "0");
    const rank = (limit: Limit): string => {
      if (limit === null) return "is-none";
      return limit === "0" ? "is-free" : `is-rate-${Math.min(limits.indexOf(limit), 4)}`;
    };
    for (const cell of this.box.querySelectorAll<HTMLElement>(".hours-cell")) {
      const limit = this.cells[Number(cell.dataset["day"])]?.[Number(cell.dataset["hour"])] ?? null;
      cell.className = `hours-cell ${rank(limit)}`;
      cell.setAttribute("aria-label", `${cell.dataset["name"] ?? ""}, ${limitWords(limit)}`);
      cell.title = `${cell.dataset["name"] ?? ""}: ${limitWords(limit)}`;
      const short = limit === "0" ? "∞" : (limit ?? "").replace(/B?\/s$/i, "");
      cell.dataset["short"] = short.length > 4 ? "" : short;
    }
    const legend = this.box.querySelector("[data-hours-legend]");
    const used: Limit[] = [...limits, ...(this.cells.flat().includes("0") ? ["0"] : []), null];
    legend?.replaceChildren(
      ...used.map((limit) => {
        const item = document.createElement("li");
        const mark = document.createElement("i");
        mark.className = `hours-mark ${rank(limit)}`;
        item.append(mark, limitWords(limit));
        return item;
      }),
    );
  }

  /** The limit to paint with, or undefined when it is none. */
  private brush(): Limit | undefined {
    const chosen = this.box.querySelector<HTMLInputElement>("input[name=hours-brush]:checked")?.value ?? "";
    const error = this.box.querySelector("[data-hours-error]");
    if (error) error.textContent = "";
    if (chosen !== "rate") return chosen === "" ? null : chosen;
    const text = this.box.querySelector<HTMLInputElement>("[data-hours-rate]")?.value.trim() ?? "";
    if (/^\d{1,12}(\.\d{1,6})?\s*([kmgt]i?)?b?(\/s)?$/i.test(text)) return /^0+(\.0*)?$/.test(text) ? "0" : text;
    if (error) error.textContent = `'${text}' is not a speed. Write one such as 500K or 2MB/s.`;
    return undefined;
  }

  private startPainting(grid: HTMLElement): void {
    grid.addEventListener("pointerdown", (event) => {
      const target = event.target as HTMLElement;
      if (event.button !== 0) return;
      const cell = target.closest<HTMLElement>(".hours-cell");
      if (cell) {
        event.preventDefault();
        grid.setPointerCapture(event.pointerId);
        cell.focus();
        this.anchor = cell;
        this.before = this.cells.map((day) => [...day]);
        this.paint(cell, cell);
        return;
      }
      const head = target.closest<HTMLElement>("[data-day], [data-hour]");
      if (!head) return;
      const [day, hour] = [head.dataset["day"], head.dataset["hour"]];
      this.before = this.cells.map((all) => [...all]);
      const from = this.cell(Number(day ?? 0), Number(hour ?? 0));
      const to = this.cell(Number(day ?? 6), Number(hour ?? 23));
      if (from && to && this.paint(from, to)) this.write();
    });
    grid.addEventListener("pointermove", (event) => {
      if (!this.anchor) return;
      const under = document.elementFromPoint(event.clientX, event.clientY)?.closest<HTMLElement>(".hours-cell");
      if (under && this.box.contains(under)) this.paint(this.anchor, under);
    });
    const end = (): void => {
      if (!this.anchor) return;
      this.anchor = null;
      this.write();
    };
    grid.addEventListener("pointerup", end);
    grid.addEventListener("pointercancel", end);
  }

  /** Paint the rectangle between two cells over what was there before. */
  private paint(from: HTMLElement, to: HTMLElement): boolean {
    const brush = this.brush();
    if (brush === undefined) return false;
    this.asked += 1; // What the server was asked before says nothing of this.
    const [day, hour] = [Number(from.dataset["day"]), Number(from.dataset["hour"])];
    const [lastDay, lastHour] = [Number(to.dataset["day"]), Number(to.dataset["hour"])];
    const within = (at: number, one: number, two: number): boolean => at >= Math.min(one, two) && at <= Math.max(one, two);
    this.cells = this.before.map((all, d) =>
      all.map((limit, h) => (within(d, day, lastDay) && within(h, hour, lastHour) ? brush : limit)),
    );
    this.draw();
    return true;
  }

  private write(): void {
    const text = textOf(this.cells);
    if (text === this.field.value.trim()) return;
    this.field.value = text;
    this.field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  private pressed(event: KeyboardEvent): void {
    const cell = (event.target as HTMLElement).closest<HTMLElement>(".hours-cell");
    if (!cell || event.ctrlKey || event.metaKey || event.altKey) return;
    const [day, hour] = [Number(cell.dataset["day"]), Number(cell.dataset["hour"])];
    // On a phone days stand beside each other and hours below: arrows go where they point.
    const turned = getComputedStyle(this.box).getPropertyValue("--turned").trim() === "1";
    const steps: Record<string, [number, number]> = turned
      ? { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }
      : { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const [days, hours] = steps[event.key] ?? [0, 0];
    let next: HTMLElement | null = null;
    if (days || hours) next = this.cell(Math.min(6, Math.max(0, day + days)), Math.min(23, Math.max(0, hour + hours)));
    else if (event.key === "Home") next = this.cell(day, 0);
    else if (event.key === "End") next = this.cell(day, 23);
    const paints = this.box.dataset["hours"] === "true";
    if (next) {
      event.preventDefault();
      cell.setAttribute("tabindex", "-1");
      next.setAttribute("tabindex", "0");
      next.focus();
      if (!event.shiftKey || !paints) return;
      this.before = this.cells.map((all) => [...all]);
      if (this.paint(cell, next)) this.write();
    } else if ((event.key === " " || event.key === "Enter") && paints) {
      event.preventDefault();
      this.before = this.cells.map((all) => [...all]);
      if (this.paint(cell, cell)) this.write();
    }
  }
}

export function startHours(scope: ParentNode): void {
  const box = scope.querySelector<HTMLElement>("[data-hours]");
  const field = box?.closest("[data-setting]")?.querySelector("textarea");
  if (box && field) new Hours(box, field, scope.querySelector<HTMLInputElement>("#set-rate_limit"));
}
