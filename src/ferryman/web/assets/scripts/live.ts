// Live pages: progress is written into the rows that are seen, once per frame; a changed state fetches the region again.

import { Problem, request } from "./api";
import { startLeaving } from "./leaving";
import { refreshSoon, startRefresh } from "./refresh";
export { refreshRegions } from "./refresh";
import { eta, rate, size } from "./units";
import type { Progress, Stream } from "./stream";

const WIDTH = 1000;
/** Pixels around the window in which rows count as seen. */
const MARGIN = 200;

function put(scope: Element, field: string, text: string): void {
  for (const place of scope.querySelectorAll(`[data-field="${field}"]`)) {
    if (place.textContent !== text) place.textContent = text;
  }
}

/** Lengthen one part of a bar. It never shrinks: a late message must not take back what was shown. */
function grow(bar: Element, part: string, share: number): void {
  const shape = bar.querySelector(`.bar-${part}`);
  const before = Number(shape?.getAttribute("width") ?? 0);
  const after = Math.round(Math.min(1, Math.max(0, share)) * WIDTH);
  if (after > before) shape?.setAttribute("width", String(after));
}

function paint(scope: Element, data: Progress): void {
  const [total, network, disk] = [data.total ?? 0, data.network ?? 0, data.disk ?? 0];
  const verified = data.verified ?? 0;
  const done = Math.max(disk, verified);
  for (const bar of scope.querySelectorAll(".bar")) {
    bar.classList.toggle("is-unknown", total <= 0);
    if (total <= 0) continue;
    grow(bar, "net", network / total);
    grow(bar, "disk", disk / total);
    grow(bar, "verified", verified / total);
    // The last percent belongs to the end of the job, which the server tells.
    const percent = Math.min(99, Math.floor((done / total) * 100));
    const before = Number(bar.getAttribute("aria-valuenow") ?? 0);
    if (percent > before) bar.setAttribute("aria-valuenow", String(percent));
    put(scope, "percent", `${Math.max(percent, before)}%`);
  }
  put(scope, "amount", total > 0 ? `${size(done)} of ${size(total)}` : size(done));
  put(scope, "network", size(network));
  put(scope, "disk", size(disk));
  put(scope, "verified", size(verified));
  put(scope, "rate", rate(data.rate ?? 0));
  put(scope, "eta", eta(data.eta));
  put(scope, "slow", data.slow ? `Held back: ${data.slow}` : "");
  put(scope, "connections", String(data.connections ?? 0));
  if (data.phase) put(scope, "phase", data.phase);
}

/** Places that are out of sight. The browser tells it by itself; asking it where each is would make it lay out the page at once. */
class Sight {
  readonly #far = new WeakSet<Element>();
  readonly #watcher: IntersectionObserver;

  /** `appeared` is called when something came into sight. */
  constructor(appeared: () => void) {
    this.#watcher = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) this.#far.delete(target);
        else this.#far.add(target);
      }
      if (entries.some((entry) => entry.isIntersecting)) appeared();
    }, { rootMargin: `${MARGIN}px` });
  }

  /** Whether it is seen; what nobody asked for yet may be. */
  has(place: Element): boolean {
    this.#watcher.observe(place);
    return !this.#far.has(place);
  }
}

/** The latest progress of each job that runs, drawn where it is seen. */
class Canvas {
  readonly #latest = new Map<string, Progress>();
  readonly #waiting = new Set<string>();
  readonly #sight = new Sight(() => this.ask());
  #frame = 0;

  set(data: Progress): void {
    this.#latest.set(data.id, data);
    this.#waiting.add(data.id);
    this.ask();
  }

  forget(id: string): void {
    this.#latest.delete(id);
    this.#waiting.delete(id);
  }

  /** Draw in the next frame. */
  ask(): void {
    if (this.#frame === 0 && this.#waiting.size > 0) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  /** What the server rendered may be older than what was shown: draw over it before anybody sees it. */
  again(): void {
    for (const id of this.#latest.keys()) this.#waiting.add(id);
    this.#draw();
  }

  #draw(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const hidden = new Set<string>();
    // A message that comes late must not move what has stopped meanwhile.
    for (const place of document.querySelectorAll<HTMLElement>('[data-job][data-state="running"]')) {
      const id = place.dataset["job"] ?? "";
      const data = this.#waiting.has(id) ? this.#latest.get(id) : undefined;
      if (!data) continue;
      if (this.#sight.has(place)) paint(place, data);
      else hidden.add(id);
    }
    for (const id of this.#waiting) if (!hidden.has(id)) this.#waiting.delete(id);
  }
}

/** Speeds of the jobs that run, added up in the top bar. */
class Flow {
  readonly #rates = new Map<string, number>();
  #frame = 0;

  /** Take the speeds of all jobs that run. */
  start(rates: Iterable<[string, number]>): void {
    this.#rates.clear();
    for (const [id, value] of rates) this.#rates.set(id, value);
    this.#ask();
  }

  set(id: string, value: number | null): void {
    if (value === null) this.#rates.delete(id);
    else this.#rates.set(id, value);
    this.#ask();
  }

  #ask(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#show();
    });
  }

  #show(): void {
    let sum = 0;
    for (const one of this.#rates.values()) sum += one;
    for (const place of document.querySelectorAll<HTMLElement>("[data-flow]")) {
      place.textContent = rate(sum);
      const holder = place.closest<HTMLElement>(".flow");
      if (holder) holder.dataset["busy"] = String(sum > 0);
    }
    document.dispatchEvent(new CustomEvent("ferry:flow", { detail: sum }));
  }
}

function counts(data: Record<string, number>): void {
  for (const place of document.querySelectorAll<HTMLElement>("[data-count]")) {
    const states = (place.dataset["count"] ?? "").split(" ");
    const sum = String(states.reduce((total, state) => total + (data[state] ?? 0), 0));
    if (place.textContent !== sum) place.textContent = sum;
    place.dataset["value"] = sum;
  }
}

interface Overview {
  counts: Record<string, number>;
  active: { id: string; progress: { rate: number } }[];
}

export function startLive(stream: Stream): void {
  const flow = new Flow();
  const canvas = new Canvas();
  const survey = async (): Promise<void> => {
    try {
      const found = await request<Overview>("GET", "/api/v1/overview");
      counts(found.counts);
      flow.start(found.active.map((job) => [job.id, job.progress.rate]));
    } catch (error) {
      // The banner tells of a lost server; the numbers come with the next change.
      if (!(error instanceof Problem)) throw error;
    }
  };
  stream.on("progress", (data) => {
    canvas.set(data);
    flow.set(data.id, data.rate ?? 0);
  });
  const stopped = (id: string): void => {
    canvas.forget(id);
    flow.set(id, null);
  };
  stream.on("job", (job) => {
    if (job.state !== "running") stopped(job.id);
    refreshSoon();
  });
  stream.on("deleted", (job) => {
    stopped(job.id);
    refreshSoon();
  });
  stream.on("counts", counts);
  stream.on("open", () => {
    refreshSoon();
    void survey();
  });
  document.addEventListener("htmx:after:swap", () => canvas.again());
  startRefresh();
  startLeaving(stream);
}
