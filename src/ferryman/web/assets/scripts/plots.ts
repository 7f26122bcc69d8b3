// Charts of figures that the page has as a table: drawn from it, redrawn when the theme or the width changes.

import uPlot from "uplot";
import { BYTES, colour, short } from "./chart";
import { rate, size } from "./units";

interface Line {
  readonly label: string;
  readonly unit: string;
  readonly colour: string;
  readonly values: (number | null)[];
}

interface Figures {
  readonly times: number[];
  readonly names: string[];
  readonly lines: Line[];
}

/** Steps of an axis of whole numbers. */
const COUNTS = [0, 1, 2, 3, 4, 5, 6].flatMap((power) => [1, 2, 5].map((step) => step * 10 ** power));

const DAY = 86400;

function words(unit: string, value: number | null | undefined): string {
  if (value === null || value === undefined) return "—";
  return unit === "bytes" ? size(value) : unit === "rate" ? rate(value) : value.toLocaleString();
}

function read(table: HTMLTableElement): Figures {
  const heads = [...table.querySelectorAll<HTMLElement>("thead th")].slice(1);
  const rows = [...table.querySelectorAll("tbody tr")];
  const places = rows.map((row) => row.querySelector<HTMLElement>("th"));
  return {
    times: places.map((place) => Number(place?.dataset["at"] ?? 0)),
    names: places.map((place) => place?.textContent ?? ""),
    lines: heads.map((head, index) => ({
      label: head.textContent,
      unit: head.dataset["unit"] ?? "",
      colour: head.dataset["colour"] ?? "link",
      values: rows.map((row) => {
        const text = row.querySelectorAll("td")[index]?.dataset["value"] ?? "";
        return text === "" ? null : Number(text);
      }),
    })),
  };
}

function dates(span: number): (plot: uPlot, ticks: number[]) => string[] {
  const form = new Intl.DateTimeFormat("en-GB", {
    timeZone: "UTC",
    ...(span > 200 * DAY ? { month: "short", year: "2-digit" } : span > 2 * DAY ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit" }),
  });
  return (_plot, ticks) => ticks.map((tick) => form.format(tick * 1000));
}

class Plot {
  readonly #figure: HTMLElement;
  readonly #box: HTMLElement;
  readonly #say: HTMLElement | null;
  readonly #rest: readonly Node[];
  readonly #figures: Figures;
  #plot: uPlot | null = null;

  constructor(figure: HTMLElement, box: HTMLElement, table: HTMLTableElement) {
    this.#figure = figure;
    this.#box = box;
    this.#say = figure.querySelector("[data-say]");
    this.#rest = [...(this.#say?.childNodes ?? [])];
    this.#figures = read(table);
    new ResizeObserver(() => this.#fit()).observe(box);
    new MutationObserver(() => this.#draw()).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
    this.#draw();
  }

  #room(): { width: number; height: number } {
    return { width: this.#box.clientWidth, height: this.#box.clientHeight };
  }

  #fit(): void {
    const room = this.#room();
    if (this.#plot && room.width > 0 && (room.width !== this.#plot.width || room.height !== this.#plot.height)) this.#plot.setSize(room);
  }

  /** Lines lie over each other: in a stack each one reaches as high as all after it together. */
  #heights(): (number | null)[][] {
    const { lines } = this.#figures;
    if (this.#figure.dataset["plot"] !== "stack") return lines.map((line) => line.values);
    return lines.map((_line, first) => this.#figures.times.map((_time, at) => lines.slice(0, lines.length - first).reduce((sum, line) => sum + (line.values[at] ?? 0), 0)));
  }

  #draw(): void {
    this.#plot?.destroy();
    this.#plot = null;
    if (this.#box.clientWidth === 0) return;
    const data = [this.#figures.times, ...this.#heights()] as uPlot.AlignedData;
    this.#plot = new uPlot(this.#options(), data, this.#box);
  }

  #options(): uPlot.Options {
    const { times, lines } = this.#figures;
    const span = (times.at(-1) ?? 0) - (times[0] ?? 0);
    const half = times.length > 1 ? span / (times.length - 1) / 2 : DAY / 2;
    const bars = this.#figure.dataset["plot"] !== "line";
    const unit = lines[0]?.unit ?? "";
    const narrow = this.#box.clientWidth < 480;
    const axis = { stroke: colour("--ink-faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: `12px ${getComputedStyle(document.body).fontFamily}` };
    const order = this.#figure.dataset["plot"] === "stack" ? [...lines].reverse() : lines;
    return {
      ...this.#room(),
      legend: { show: false },
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      cursor: { y: false, points: { show: !bars, size: 7 }, drag: { x: false, y: false } },
      scales: {
        x: { range: () => [(times[0] ?? 0) - (bars ? half : 0), (times.at(-1) ?? 0) + (bars ? half : 0)] },
        y: { range: (_plot, _low, high) => [0, Math.max((high || 0) * 1.1, unit === "count" ? 4 : 1024)] },
      },
      axes: [
        { ...axis, size: 28, space: narrow ? 60 : 90, grid: { show: false }, values: dates(span) },
        { ...axis, size: unit === "count" ? 52 : unit === "rate" ? 92 : 78, space: 34, incrs: unit === "count" ? COUNTS : BYTES, values: (_plot, ticks) => ticks.map((tick) => short(words(unit, tick))) },
      ],
      series: [{}, ...order.map((line) => this.#series(line, bars))],
      hooks: { setCursor: [(plot) => this.#tell(plot.cursor.idx)] },
    };
  }

  #series(line: Line, bars: boolean): uPlot.Series {
    const tone = colour(`--${line.colour}`);
    const paths = uPlot.paths.bars?.({ size: [0.72, 44], radius: 0.12 });
    if (bars && paths) return { label: line.label, stroke: tone, fill: tone, width: 0, points: { show: false }, paths };
    return { label: line.label, stroke: tone, fill: `${tone}22`, width: 1.75, points: { show: false }, spanGaps: false };
  }

  /** Say what is under the pointer, where there is always room for it. */
  #tell(at: number | null | undefined): void {
    if (!this.#say) return;
    const name = at === null || at === undefined ? undefined : this.#figures.names[at];
    if (name === undefined) this.#say.replaceChildren(...this.#rest);
    else this.#say.textContent = `${name}: ${this.#figures.lines.map((line) => (this.#figures.lines.length > 1 ? `${words(line.unit, line.values[at ?? 0])} ${line.label.toLowerCase()}` : words(line.unit, line.values[at ?? 0]))).join(", ")}`;
  }
}

export function startPlots(): void {
  for (const figure of document.querySelectorAll<HTMLElement>("[data-plot]")) {
    const box = figure.querySelector<HTMLElement>("[data-draw]");
    const table = figure.querySelector("table");
    if (box && table) new Plot(figure, box, table);
  }
}
