// What ends stays among the active downloads for a moment, so that one sees how it ended; then it leaves with a word.

import { refreshSoon } from "./refresh";
import { toast } from "./toasts";
import type { Stream, StreamJob } from "./stream";

/** A little more than the server keeps it, or the row would still be there. */
const LINGER_MS = 5200;
const TOGETHER_MS = 600;
const ENDED_ROWS = ["succeeded", "failed"].map((state) => `[data-list=active] [data-job][data-state=${state}]`).join();

/** What ended just before the page was opened is told by no message: look for it, and look again when it has to be gone. */
function startSweeping(): void {
  let pending: ReturnType<typeof setTimeout> | undefined;
  const sweep = (): void => {
    if (pending !== undefined || document.querySelector(ENDED_ROWS) === null) return;
    pending = setTimeout(() => {
      pending = undefined;
      refreshSoon();
    }, LINGER_MS);
  };
  sweep();
  document.addEventListener("htmx:after:swap", sweep);
}

function say(jobs: StreamJob[]): void {
  const [good, bad] = [jobs.filter((job) => job.state === "succeeded"), jobs.filter((job) => job.state === "failed")];
  const show = (tab: string) => ({ label: "Show", act: () => location.assign(`/downloads?tab=${tab}`) });
  const [first, broken] = [good[0], bad[0]];
  if (first) {
    const text = good.length === 1 ? `${first.title} is complete` : `${good.length} downloads are complete`;
    toast(text, "good", "", show("completed"));
  }
  if (broken) {
    const text = bad.length === 1 ? `${broken.title} failed` : `${bad.length} downloads failed`;
    toast(text, "bad", bad.length === 1 ? (broken.error ?? "") : "", show("history"));
  }
}

export function startLeaving(stream: Stream): void {
  startSweeping();
  const gone: StreamJob[] = [];
  const told = new Set<string>();
  let pending: ReturnType<typeof setTimeout> | undefined;
  const leave = (job: StreamJob): void => {
    told.delete(job.id);
    if (!document.querySelector("[data-list=active]")) return;
    gone.push(job);
    refreshSoon();
    pending ??= setTimeout(() => {
      pending = undefined;
      say(gone.splice(0));
    }, TOGETHER_MS);
  };
  stream.on("job", (job) => {
    const ended = job.state === "succeeded" || job.state === "failed";
    if (!ended || told.has(job.id) || !document.querySelector("[data-list=active]")) return;
    // What ended before this page was opened is told again by the stream, and is no news.
    if (Date.now() - Date.parse(job.finished_at ?? "") > LINGER_MS) return;
    told.add(job.id);
    setTimeout(() => leave(job), LINGER_MS);
  });
}
