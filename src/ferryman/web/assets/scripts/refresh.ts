// When live regions are fetched again: soon after something changed, at most once a second, never under somebody's hands.

/** Several changes within this time cause one reload. */
const GATHER_MS = 250;
const PACE_MS = 1000;

let pending: ReturnType<typeof setTimeout> | undefined;
let latest = 0;
let holds = 0;

/** Fetch every live region now. One that a form filters is asked for by the form, which knows what is typed now. */
export function refreshRegions(): void {
  clearTimeout(pending);
  pending = undefined;
  latest = performance.now();
  for (const region of document.querySelectorAll("[data-refresh]")) {
    const form = region.id === "" ? null : document.querySelector(`form[hx-target="#${CSS.escape(region.id)}"]`);
    (form ?? region).dispatchEvent(new Event("refresh"));
  }
}

/** Fetch them soon. */
export function refreshSoon(also?: () => void): void {
  if (pending !== undefined) return;
  const wait = Math.max(GATHER_MS, latest + PACE_MS - performance.now());
  pending = setTimeout(() => {
    pending = undefined;
    if (busy()) refreshSoon(also);
    else {
      refreshRegions();
      also?.();
    }
  }, wait);
}

/** A row that is being moved, or whose menu is open, stays as it is. */
function busy(): boolean {
  return holds > 0 || document.querySelector("[data-refresh] details.menu[open]") !== null;
}

/** Keep the regions as they are until the returned function is called. */
export function hold(): () => void {
  holds += 1;
  let held = true;
  return () => {
    if (held) holds -= 1;
    held = false;
  };
}

/** An answer that was asked for before hands were laid on a row comes too late: it is asked for again afterwards. */
export function startRefresh(): void {
  document.addEventListener("htmx:before:swap", (event) => {
    if (!busy()) return;
    event.preventDefault();
    refreshSoon();
  });
}
