// The speed chart: what the server kept of the time before the page was opened, then what the event stream brings.

import uPlot from "uplot";
import type { Stream } from "./stream";
import { duration, rate } from "./units";

/** How far back the chart of everything goes. */
const HOUR_S = 3600;

/** Least time the chart spans, so that the first seconds do not fill it. */
const SPAN_S = 60;

/** Nothing heard for so long: the line is interrupted. */
const GAP_S = 15;

/** More points than this are thinned out; what is gone could not be seen. */
const MOST = 1500;

const STORE_MS = 5000;

/** Steps of an axis of bytes: whole binary units and their halves. */
export const BYTES = Array.from({ length: 50 }, (_none, power) => 2 ** power);

/** Steps of a time axis, in seconds. */
const TIMES = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800];

type Point = [time: number, value: number | null, run?: number];

export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** A figure on an axis: `512 KiB`, not `512.0 KiB`. */
export function short(text: string): string {
  return text.replace(".0 ", " ");
}

/** Numbers of one line, in order of time; `null` interrupts it. */
class Samples {
  readonly times: number[] = [];
  readonly values: (number | null)[] = [];

  constructor(points: readonly Point[]) {
    let run: number | undefined;
    for (const [time, value, of] of points) {
      if (run !== undefined && of !== run) this.#push(time - 0.001, null);
      run = of;
      this.#push(time, value);
    }
  }

  add(now: number, value: number): void {
    const last = this.times.at(-1);
    if (last !== undefined && now <= last) return;
    if (last !== undefined && now - last < 0.5) {
      this.values[this.values.length - 1] = value;
      return;
    }
    if (last !== undefined && now - last > GAP_S) this.#push(this.values.at(-1) === 0 ? now - 1 : last + 0.001, this.values.at(-1) === 0 ? 0 : null);
    this.#push(now, value);
    if (this.times.length > MOST) this.#thin();
  }

  dropBefore(time: number): void {
    const first = this.times.findIndex((one) => one >= time);
    if (first > 0) {
      this.times.splice(0, first);
      this.values.splice(0, first);
    }
  }

  /** Make one of two neighbours in the older half. */
  #thin(): void {
    const half = this.times.length >> 1;
    for (let at = half - (half % 2) - 2; at >= 0; at -= 2) {
      const [one, two] = [this.values[at], this.values[at + 1]];
      if (one === null || two === null || one === undefined || two === undefined) continue;
      this.values[at + 1] = (one + two) / 2;
      this.times.splice(at, 1);
      this.values.splice(at, 1);
    }
  }

  #push(time: number, value: number | null): void {
    this.times.push(time);
    this.values.push(value);
  }
}

class SpeedChart {
  readonly #box: HTMLElement;
  readonly #samples: Samples;
  readonly #least: number;
  #plot: uPlot | null = null;

  constructor(box: HTMLElement, samples: Samples) {
    this.#least = box.hasAttribute("data-ended") ? 1 : SPAN_S;
    this.#box = box;
    this.#samples = samples;
    new ResizeObserver(() => this.#fit()).observe(box);
    new MutationObserver(() => this.#rebuild()).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
    this.draw();
  }

  draw(): void {
    if (this.#samples.times.length < 2 || this.#box.clientWidth === 0) return;
    const data: uPlot.AlignedData = [this.#samples.times, this.#samples.values];
    if (this.#plot) this.#plot.setData(data);
    else {
      this.#box.replaceChildren();
      this.#plot = new uPlot(this.#options(), data, this.#box);
    }
    this.#describe();
  }

  #describe(): void {
    const { times, values } = this.#samples;
    const highest = values.reduce<number>((most, value) => Math.max(most, value ?? 0), 0);
    const span = duration((times.at(-1) ?? 0) - (times[0] ?? 0));
    this.#box.setAttribute("role", "img");
    this.#box.setAttribute("aria-label", `Speed over ${span}: ${rate(values.at(-1) ?? 0)} at the end, at most ${rate(highest)}.`);
  }

  #room(): { width: number; height: number } {
    return { width: this.#box.clientWidth - 16, height: this.#box.clientHeight - 12 };
  }

  #fit(): void {
    if (this.#plot && this.#box.clientWidth > 16) this.#plot.setSize(this.#room());
    else this.draw();
  }

  #rebuild(): void {
    this.#plot?.destroy();
    this.#plot = null;
    this.draw();
  }

  #ticks(ticks: number[]): string[] {
    const span = (ticks.at(-1) ?? 0) - (ticks[0] ?? 0);
    const step = (ticks[1] ?? 0) - (ticks[0] ?? 0);
    const form = new Intl.DateTimeFormat(undefined, {
      ...(span > 86400 ? { day: "numeric", month: "short" } : {}),
      ...(span > 4 * 86400 ? {} : { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
      ...(step < 60 && span <= 86400 ? { second: "2-digit" } : {}),
    });
    return ticks.map((tick) => form.format(tick * 1000));
  }

  #options(): uPlot.Options {
    const axis = { stroke: colour("--ink-faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    return {
      ...this.#room(),
      legend: { show: false },
      cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
      scales: { x: { range: (_plot, low, high) => [Math.min(low, high - this.#least), high] }, y: { range: (_plot, _low, high) => [0, Math.max((high || 0) * 1.15, 1024)] } },
      axes: [
        { ...axis, space: 90, size: 26, incrs: TIMES, values: (_plot, ticks) => this.#ticks(ticks) },
        { ...axis, size: 86, space: 34, incrs: BYTES, values: (_plot, ticks) => ticks.map((tick) => short(rate(tick))) },
      ],
      series: [{}, { label: "Speed", stroke: colour("--link"), fill: `${colour("--link")}22`, width: 1.75, points: { show: false }, spanGaps: false }],
    };
  }
}

function kept(box: HTMLElement): Point[] {
  return JSON.parse(box.dataset["points"] ?? "[]") as Point[];
}

/** The running total: minutes from the server, and the seconds that this tab saw before the page was loaded anew. */
function total(box: HTMLElement): void {
  const KEY = "ferry-speed:all";
  const since = Date.now() / 1000 - HOUR_S;
  let seen: Point[] = [];
  try {
    seen = (JSON.parse(sessionStorage.getItem(KEY) ?? "[]") as Point[]).filter(([time]) => time >= since);
  } catch {
    sessionStorage.removeItem(KEY);
  }
  const first = seen[0]?.[0] ?? Infinity;
  const samples = new Samples([...kept(box).filter(([time]) => time < first), ...seen]);
  const own = new Samples(seen);
  const chart = new SpeedChart(box, samples);
  let stored = 0;
  document.addEventListener("ferry:flow", (event) => {
    const now = Date.now() / 1000;
    for (const one of [samples, own]) {
      one.add(now, (event as CustomEvent<number>).detail);
      one.dropBefore(now - HOUR_S);
    }
    chart.draw();
    if (Date.now() - stored < STORE_MS) return;
    stored = Date.now();
    sessionStorage.setItem(KEY, JSON.stringify(own.times.map((time, at) => [time, own.values[at]])));
  });
}

function job(box: HTMLElement, id: string, stream: Stream): void {
  const samples = new Samples(kept(box));
  const chart = new SpeedChart(box, samples);
  stream.on("progress", (data) => {
    if (data.id !== id) return;
    samples.add(Date.now() / 1000, data.rate ?? 0);
    chart.draw();
  });
}

export function startChart(stream: Stream): void {
  const box = document.querySelector<HTMLElement>("[data-chart]");
  if (!box) return;
  const name = box.dataset["chart"] ?? "all";
  if (name === "all") total(box);
  else job(box, name, stream);
}
