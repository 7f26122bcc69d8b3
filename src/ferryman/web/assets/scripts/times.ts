// Times are written relative to now and keep their exact value as a title.

import { relative } from "./units";

function write(scope: ParentNode): void {
  const now = Date.now();
  for (const place of scope.querySelectorAll<HTMLTimeElement>("time[datetime]")) {
    const then = Date.parse(place.dateTime);
    if (Number.isNaN(then)) continue;
    const text = relative(then, now);
    if (place.textContent !== text) place.textContent = text;
    place.title = new Date(then).toLocaleString(undefined, { dateStyle: "full", timeStyle: "medium" });
  }
}

/** Write the times of parts that came later. */
export function refreshTimes(): void {
  write(document);
}

export function startTimes(): void {
  write(document);
  setInterval(() => write(document), 10_000);
  document.addEventListener("htmx:after:swap", () => write(document));
}
