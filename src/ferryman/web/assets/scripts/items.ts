// The parts of a job, each with how far it is: `data-items="ID"` follows that job once a second while somebody sees it.

import type { Stream } from "./stream";

function ask(region: Element): void {
  if (region.closest("[hidden]") === null) region.dispatchEvent(new Event("refresh"));
}

export function startItems(stream: Stream): void {
  stream.on("progress", (data) => {
    for (const region of document.querySelectorAll(`[data-items="${CSS.escape(data.id)}"]`)) ask(region);
  });
  document.addEventListener("ferry:tab", () => {
    for (const region of document.querySelectorAll("[data-items]")) ask(region);
  });
}
