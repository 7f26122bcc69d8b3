// The event stream: one connection per page, kept alive, its loss told in a banner.

export interface Progress {
  id: string;
  phase?: string | null;
  total?: number | null;
  network?: number;
  disk?: number;
  verified?: number;
  rate?: number;
  eta?: number | null;
  slow?: string | null;
  connections?: number;
}

export interface StreamJob {
  id: string;
  kind: string;
  title: string;
  state: string;
  error?: string | null;
  advice?: string | null;
  owner?: string | null;
  finished_at?: string | null;
}

interface Messages {
  job: StreamJob;
  progress: Progress;
  log: { id: string };
  deleted: { id: string };
  counts: Record<string, number>;
  open: null;
}

type Listener<Name extends keyof Messages> = (data: Messages[Name]) => void;

const RETRY_MS = 2000;
const GRACE_MS = 2500;

export class Stream {
  readonly #address: string;
  readonly #listeners = new Map<string, ((data: never) => void)[]>();
  #source: EventSource | null = null;
  #grace: ReturnType<typeof setTimeout> | undefined;

  constructor(address: string) {
    this.#address = address;
  }

  on<Name extends keyof Messages>(name: Name, listener: Listener<Name>): void {
    const list = this.#listeners.get(name) ?? [];
    list.push(listener as (data: never) => void);
    this.#listeners.set(name, list);
  }

  start(): void {
    // A browser opens few connections to one server: a page nobody sees gives its own back.
    document.addEventListener("visibilitychange", () => this.#attend());
    window.addEventListener("pagehide", () => this.#leave());
    window.addEventListener("pageshow", () => this.#attend());
    this.#attend();
  }

  #attend(): void {
    if (document.hidden) this.#leave();
    else if (this.#source === null) this.#connect();
  }

  #leave(): void {
    clearTimeout(this.#grace);
    this.#grace = undefined;
    this.#source?.close();
    this.#source = null;
  }

  #emit(name: string, data: unknown): void {
    for (const listener of this.#listeners.get(name) ?? []) listener(data as never);
  }

  #connect(): void {
    this.#source?.close();
    const source = new EventSource(this.#address);
    this.#source = source;
    source.addEventListener("open", () => this.#found());
    source.addEventListener("error", () => {
      this.#lost();
      // A refused connection is final for the browser; try again ourselves.
      if (source.readyState !== EventSource.CLOSED || this.#source !== source) return;
      setTimeout(() => {
        if (this.#source === source) this.#connect();
      }, RETRY_MS);
    });
    source.addEventListener("reset", () => this.#emit("open", null));
    for (const name of ["job", "deleted", "progress", "log", "counts"]) {
      source.addEventListener(name, (event) => this.#emit(name, JSON.parse((event as MessageEvent<string>).data)));
    }
  }

  #found(): void {
    clearTimeout(this.#grace);
    this.#grace = undefined;
    document.getElementById("lost")?.setAttribute("hidden", "");
    document.documentElement.dataset.stream = "open";
    // What happened while nobody listened, be it since the page was rendered, is read from the server.
    this.#emit("open", null);
  }

  #lost(): void {
    document.documentElement.dataset.stream = "lost";
    this.#grace ??= setTimeout(() => document.getElementById("lost")?.removeAttribute("hidden"), GRACE_MS);
  }
}
