// Live pages: progress is written into the rows at once; a changed state fetches the region again and morphs it.

import { Problem, request } from "./api";
import { eta, rate, size } from "./units";
import type { Progress, Stream } from "./stream";

const WIDTH = 1000;

/** Regions that show jobs reload when one changes; several changes within this time cause one reload. */
const GATHER_MS = 250;

/** Fetch every live region again. One that a form filters is asked for by the form, which knows what is typed now. */
export function refreshRegions(): void {
  for (const region of document.querySelectorAll("[data-refresh]")) {
    const form = region.id === "" ? null : document.querySelector(`form[hx-target="#${CSS.escape(region.id)}"]`);
    (form ?? region).dispatchEvent(new Event("refresh"));
  }
}

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
    if (percent >= before) bar.setAttribute("aria-valuenow", String(percent));
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

/** Speeds of the jobs that run, added up in the top bar. */
class Flow {
  readonly #rates = new Map<string, number>();

  /** Take the speeds of all jobs that run. */
  start(rates: Iterable<[string, number]>): void {
    this.#rates.clear();
    for (const [id, value] of rates) this.#rates.set(id, value);
    this.#show();
  }

  set(id: string, value: number | null): void {
    if (value === null) this.#rates.delete(id);
    else this.#rates.set(id, value);
    this.#show();
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
    const sum = states.reduce((total, state) => total + (data[state] ?? 0), 0);
    place.textContent = String(sum);
    place.dataset["value"] = String(sum);
  }
}

/** The list knows how many entries each tab has; the tabs stand outside of it. */
function tabCounts(): void {
  const list = document.getElementById("list");
  for (const place of document.querySelectorAll<HTMLElement>("[data-tab-count]")) {
    const count = list?.getAttribute(`data-count-${place.dataset["tabCount"] ?? ""}`) ?? "0";
    place.textContent = count;
    place.dataset["value"] = count;
  }
}

interface Overview {
  counts: Record<string, number>;
  active: { id: string; progress: { rate: number } }[];
}

export function startLive(stream: Stream): void {
  const flow = new Flow();
  let pending: ReturnType<typeof setTimeout> | undefined;
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
  const gather = (): void => {
    pending ??= setTimeout(() => {
      pending = undefined;
      refreshRegions();
      void survey();
    }, GATHER_MS);
  };
  stream.on("progress", (data) => {
    // A message that comes late must not move what has stopped meanwhile.
    const places = `[data-job="${CSS.escape(data.id)}"][data-state="running"]`;
    for (const scope of document.querySelectorAll(places)) paint(scope, data);
    flow.set(data.id, data.rate ?? 0);
  });
  stream.on("job", (job) => {
    if (job.state !== "running") flow.set(job.id, null);
    gather();
  });
  stream.on("deleted", (job) => {
    flow.set(job.id, null);
    gather();
  });
  stream.on("counts", counts);
  stream.on("open", gather);
  document.addEventListener("htmx:after:swap", tabCounts);
}
