// The options of the add dialog as the API takes them, and its messages at the fields.

import type { Problem } from "./api";

type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

const SECRET = ["username", "password", "bearer", "headers", "cookies", "client_cert", "client_key", "ca", "proxy", "insecure"];

function fields(form: HTMLFormElement): Field[] {
  return [...form.querySelectorAll<Field>("input[name], textarea[name], select[name]")];
}

function valueOf(field: Field): unknown {
  const text = field.value.trim();
  if (field instanceof HTMLInputElement && field.dataset["flag"] !== undefined) return field.checked || undefined;
  if (text === "") return undefined;
  if (field.dataset["lines"] !== undefined) return field.value.split("\n").map((line) => line.trim()).filter(Boolean);
  if (field.name === "unpack") return text === "yes";
  if (field.dataset["number"] !== undefined || field.name === "priority") return Number(text);
  return field.dataset["raw"] !== undefined || field.type === "password" ? field.value : text;
}

/** Everything but when to start. */
export function options(form: HTMLFormElement): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  for (const field of fields(form)) {
    const value = field.name === "start" ? undefined : valueOf(field);
    if (value !== undefined) body[field.name] = value;
  }
  return body;
}

/** What a look at the addresses needs. */
export function lookOptions(form: HTMLFormElement): Record<string, unknown> {
  const all = options(form);
  return Object.fromEntries(["folder", ...SECRET].filter((name) => name in all).map((name) => [name, all[name]]));
}

/** When to start: now, at a moment, or in a time of day. */
export function schedule(form: HTMLFormElement): Record<string, unknown> {
  const chosen = form.querySelector<HTMLInputElement>("input[name=start]:checked")?.value;
  if (chosen === "night") return { window: form.querySelector<HTMLInputElement>("[data-window]")?.value.trim() ?? "" };
  if (chosen !== "later") return {};
  const typed = form.querySelector<HTMLInputElement>("[data-at]")?.value ?? "";
  const moment = new Date(typed);
  return Number.isNaN(moment.getTime()) ? { not_before: null } : { not_before: moment.toISOString() };
}

export function clean(form: HTMLFormElement): void {
  for (const place of form.querySelectorAll("[data-error]")) place.textContent = "";
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  const notice = form.querySelector<HTMLElement>("[data-problem]");
  if (notice) notice.hidden = true;
}

/** Say something at a field; returns whether there is such a place. */
export function say(form: HTMLFormElement, name: string, message: string): boolean {
  const place = form.querySelector<HTMLElement>(`[data-error="${CSS.escape(name)}"]`);
  if (!place) return false;
  place.textContent = place.textContent === "" ? message : `${place.textContent} ${message}`;
  const field =
    name === "urls" ? form.querySelector<Field>("[data-addresses]")
    : name === "not_before" ? form.querySelector<Field>("[data-at]")
    : name === "window" ? form.querySelector<Field>("[data-window]")
    : fields(form).find((one) => one.name === name);
  field?.setAttribute("aria-invalid", "true");
  if (field && place.id) field.setAttribute("aria-describedby", place.id);
  place.closest("details")?.setAttribute("open", "");
  return true;
}

/** Say what is wrong with the whole. */
export function sayAbove(form: HTMLFormElement, message: string, advice: string): void {
  const notice = form.querySelector<HTMLElement>("[data-problem]");
  const [text, hint] = [notice?.querySelector("[data-text]"), notice?.querySelector("[data-advice]")];
  if (!notice || !text || !hint) return;
  text.textContent = message;
  hint.textContent = advice;
  notice.hidden = false;
  notice.scrollIntoView({ block: "nearest" });
}

/** Say the messages of a refusal at their fields; what belongs to entries is returned by their index. */
export function refuse(form: HTMLFormElement, problem: Problem): Map<number, string> {
  const rows = new Map<number, string>();
  let placed = false;
  for (const [name, message] of problem.fields) {
    const entry = /^entries\.(\d+)/.exec(name);
    if (entry) rows.set(Number(entry[1]), message);
    else placed = say(form, name.split(".")[0] ?? name, message) || placed;
  }
  if (!placed) sayAbove(form, problem.message, problem.advice);
  return rows;
}
