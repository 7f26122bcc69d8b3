// The speed chart: what arrived per second over the last minutes, from the event stream.

import uPlot from "uplot";
import type { Stream } from "./stream";
import { rate } from "./units";

const KEEP_S = 300;

/** Least time the chart spans, so that the first seconds do not fill it. */
const SPAN_S = 60;

/** Steps of the speed axis that read well in binary units. */
const BYTES = [1, 1024, 1024 ** 2, 1024 ** 3].flatMap((unit) => [1, 2, 5, 10, 20, 50, 100, 200, 500].map((step) => step * unit));

/** Samples outlive a reload of the page, not the tab. */
class Samples {
  readonly times: number[] = [];
  readonly values: number[] = [];
  readonly #key: string;

  constructor(name: string) {
    this.#key = `ferry-speed:${name}`;
    try {
      const kept = JSON.parse(sessionStorage.getItem(this.#key) ?? "[]") as [number, number][];
      for (const [time, value] of kept) this.#push(time, value);
    } catch {
      sessionStorage.removeItem(this.#key);
    }
  }

  add(value: number): void {
    const now = Date.now() / 1000;
    const last = this.times.at(-1);
    if (last !== undefined && now - last < 0.5) this.values[this.values.length - 1] = value;
    else this.#push(now, value);
    while ((this.times[0] ?? now) < now - KEEP_S) {
      this.times.shift();
      this.values.shift();
    }
    sessionStorage.setItem(this.#key, JSON.stringify(this.times.map((time, index) => [time, this.values[index]])));
  }

  #push(time: number, value: number): void {
    this.times.push(time);
    this.values.push(value);
  }
}

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

class SpeedChart {
  readonly #box: HTMLElement;
  readonly #samples: Samples;
  #plot: uPlot | null = null;

  constructor(box: HTMLElement, name: string) {
    this.#box = box;
    this.#samples = new Samples(name);
    new ResizeObserver(() => this.#plot?.setSize(this.#room())).observe(box);
    new MutationObserver(() => this.#rebuild()).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
    this.#draw();
  }

  add(value: number): void {
    this.#samples.add(value);
    this.#draw();
  }

  #room(): { width: number; height: number } {
    return { width: this.#box.clientWidth - 16, height: this.#box.clientHeight - 12 };
  }

  #rebuild(): void {
    this.#plot?.destroy();
    this.#plot = null;
    this.#draw();
  }

  #draw(): void {
    if (this.#samples.times.length < 2 || this.#box.clientWidth === 0) return;
    const data: uPlot.AlignedData = [this.#samples.times, this.#samples.values];
    if (this.#plot) this.#plot.setData(data);
    else {
      this.#box.replaceChildren();
      this.#plot = new uPlot(this.#options(), data, this.#box);
    }
  }

  #options(): uPlot.Options {
    const axis = { stroke: colour("--ink-faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    return {
      ...this.#room(),
      legend: { show: false },
      cursor: { y: false, points: { size: 7 } },
      scales: { x: { range: (_plot, low, high) => [Math.min(low, high - SPAN_S), high] }, y: { range: (_plot, _low, high) => [0, Math.max(high * 1.15, 1024)] } },
      axes: [
        { ...axis, space: 90, size: 26, incrs: [5, 10, 15, 30, 60, 120], values: (_plot, ticks) => ticks.map((tick) => new Date(tick * 1000).toLocaleTimeString(undefined, { hour12: false })) },
        { ...axis, size: 86, space: 34, incrs: BYTES, values: (_plot, ticks) => ticks.map((tick) => rate(tick)) },
      ],
      series: [{}, { label: "Speed", stroke: colour("--link"), fill: `${colour("--link")}22`, width: 1.75, points: { show: false } }],
    };
  }
}

export function startChart(stream: Stream): void {
  const box = document.querySelector<HTMLElement>("[data-chart]");
  if (!box) return;
  const name = box.dataset["chart"] ?? "all";
  const chart = new SpeedChart(box, name);
  if (name === "all") document.addEventListener("ferry:flow", (event) => chart.add((event as CustomEvent<number>).detail));
  else {
    stream.on("progress", (data) => {
      if (data.id === name) chart.add(data.rate ?? 0);
    });
  }
}
