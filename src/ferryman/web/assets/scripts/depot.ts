// Fetching into the depot: what a fetch would move is said before it starts.

import { Problem, request } from "./api";
import { bodyOf, clearProblems, showProblem } from "./forms";
import { toastError } from "./toasts";
import { size } from "./units";

interface Plan {
  images: { source: string; error?: { detail?: string } }[];
  plan: { images: number; blobs: number; bytes: number; there: number; there_bytes: number };
}

function many(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

function told(found: Plan): string {
  const { plan } = found;
  const failed = found.images.filter((one) => one.error !== undefined);
  const begin =
    plan.bytes > 0 ? `${size(plan.bytes)} to fetch: ${many(plan.blobs, "layer")} of ${many(plan.images, "image")}.`
    : failed.length < found.images.length ? "All of it is here already."
    : "";
  const there = plan.bytes > 0 && plan.there_bytes > 0 ? ` ${size(plan.there_bytes)} are here already.` : "";
  const wrong = failed.map((one) => ` ${one.source}: ${one.error?.detail ?? "cannot be read"}`).join("");
  return `${begin}${there}${wrong}`.trim();
}

async function look(form: HTMLFormElement, button: HTMLButtonElement): Promise<void> {
  const place = form.querySelector<HTMLElement>("[data-plan]");
  if (!place) return;
  clearProblems(form);
  button.disabled = true;
  place.textContent = "Asking what there is…";
  try {
    place.textContent = told((await request("POST", "/api/v1/images/plan", bodyOf(form))) as Plan);
  } catch (error) {
    place.textContent = "";
    if (error instanceof Problem) showProblem(form, error);
    else toastError(error);
  } finally {
    button.disabled = false;
  }
}

export function startDepot(): void {
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLButtonElement>("[data-plan-button]");
    if (button?.form) void look(button.form, button);
  });
}
