// Short messages at the corner of the page. A failure stays until it is closed.

import { icon } from "./icons";
import { Problem } from "./api";

type Tone = "good" | "bad" | "plain";

const SYMBOL: Record<Tone, string> = { good: "circle-check", bad: "alert-circle", plain: "info-circle" };

const SHORT_MS = 5000;

/** Something a toast offers to do; it is closed then. */
export interface Offer {
  label: string;
  act: () => void;
  /** How long it is offered. */
  ms?: number;
}

export function toast(message: string, tone: Tone = "plain", advice = "", offer?: Offer): void {
  const region = document.getElementById("toasts");
  if (!region) return;
  const note = document.createElement("div");
  note.className = tone === "plain" ? "toast-note" : `toast-note is-${tone}`;
  const body = document.createElement("div");
  body.className = "toast-text";
  for (const [text, style] of [[message, ""], [advice, "soft"]] as const) {
    if (text === "") continue;
    const line = document.createElement("p");
    line.textContent = text;
    line.className = style;
    body.append(line);
  }
  const close = document.createElement("button");
  close.type = "button";
  close.className = "act";
  close.setAttribute("aria-label", "Close this message");
  close.append(icon("x"));
  close.addEventListener("click", () => note.remove());
  note.append(icon(SYMBOL[tone]), body);
  if (offer) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn-sm";
    button.textContent = offer.label;
    button.addEventListener("click", () => {
      note.remove();
      offer.act();
    });
    note.append(button);
  }
  note.append(close);
  region.append(note);
  while (region.children.length > 4) region.firstElementChild?.remove();
  if (tone !== "bad") setTimeout(() => note.remove(), offer ? (offer.ms ?? 12_000) : SHORT_MS);
}

/** Say what went wrong in the words of the server. */
export function toastError(error: unknown): void {
  if (error instanceof Problem) toast(error.message, "bad", error.advice);
  else throw error;
}
