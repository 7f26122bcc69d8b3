// Forms post JSON to the API: `<form data-api="POST /api/v1/…">`. What is wrong is said beside the field.
//
// `data-as` on a field tells its form in the body: `lines` and `words` (lists), `number`, `flag`, `truth` (true, false or
// nothing), `choice` (a list of what is checked), `rules` (an export); other fields are text. Disabled ones are left out.
// An empty field is left out, so that the server's default holds.

import { Problem, request } from "./api";
import { refreshRegions } from "./refresh";
import { toast, toastError } from "./toasts";

type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

function fields(form: HTMLFormElement): Field[] {
  return [...form.querySelectorAll<Field>("input[name], textarea[name], select[name]")];
}

function valueOf(field: Field): unknown {
  const text = field.value.trim();
  switch (field.dataset["as"]) {
    case "lines": {
      const lines = field.value.split("\n").map((line) => line.trim()).filter(Boolean);
      return lines.length > 0 ? lines : undefined;
    }
    case "words": {
      const words = text.split(/[\s,]+/).filter(Boolean);
      return words.length > 0 ? words : undefined;
    }
    case "truth":
      return text === "" ? undefined : text === "true";
    case "rules":
      return rulesOf(text);
    case "number":
      return text === "" ? undefined : Number(text);
    case "flag":
      return field instanceof HTMLInputElement ? field.checked : undefined;
    default:
      return text === "" ? undefined : field.value;
  }
}

/** The rules of an export; what is no export is sent as it is, and the server says what is wrong with it. */
function rulesOf(text: string): unknown {
  try {
    const found: unknown = JSON.parse(text);
    return found !== null && typeof found === "object" && "rules" in found ? found.rules : found;
  } catch {
    return text;
  }
}

/** Put a value under its name; `source.username` goes into the object `source`. */
function place(values: Record<string, unknown>, name: string, value: unknown): void {
  const [outer = "", inner] = name.split(".", 2);
  if (inner === undefined) values[outer] = value;
  else values[outer] = { ...((values[outer] as Record<string, unknown> | undefined) ?? {}), [inner]: value };
}

export function bodyOf(form: HTMLFormElement): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const field of fields(form)) {
    if (field.disabled) continue;
    if (field.dataset["as"] === "choice") {
      if (field instanceof HTMLInputElement && field.checked) {
        values[field.name] = [...((values[field.name] as string[] | undefined) ?? []), field.value];
      }
      continue;
    }
    const value = valueOf(field);
    if (value !== undefined) place(values, field.name, value);
  }
  return values;
}

function say(form: HTMLFormElement, name: string, message: string): boolean {
  const place = form.querySelector<HTMLElement>(`[data-error="${CSS.escape(name)}"]`);
  if (!place) return false;
  place.textContent = place.textContent === "" ? message : `${place.textContent} ${message}`;
  const field = fields(form).find((one) => one.name === name);
  field?.setAttribute("aria-invalid", "true");
  if (place.id) field?.setAttribute("aria-describedby", place.id);
  return true;
}

export function clearProblems(form: HTMLFormElement): void {
  for (const place of form.querySelectorAll("[data-error]")) place.textContent = "";
  for (const field of fields(form)) field.removeAttribute("aria-invalid");
  const notice = form.querySelector<HTMLElement>("[data-problem]");
  if (notice) notice.hidden = true;
}

/** The field of the form a message belongs to: `urls.3` and `items.3.url` are said at `urls`. */
function placeOf(form: HTMLFormElement, name: string): string {
  const parts = name.split(".").filter((part) => !/^\d+$/.test(part));
  const known = (part: string): boolean => form.querySelector(`[data-error="${CSS.escape(part)}"]`) !== null;
  const aliases: Record<string, string> = { url: "urls", items: "urls", sources: "urls", source: "urls" };
  for (const part of [name, ...parts.reverse()]) {
    if (known(part)) return part;
    const alias = aliases[part];
    if (alias && known(alias)) return alias;
  }
  return name;
}

/** Say what the server refuses beside the fields, and otherwise at the top of the form. */
export function showProblem(form: HTMLFormElement, problem: Problem): void {
  let shown = false;
  for (const [name, message] of problem.fields) shown = say(form, placeOf(form, name), message) || shown;
  const notice = form.querySelector<HTMLElement>("[data-problem]");
  if (!notice) {
    if (!shown) toastError(problem);
    return;
  }
  const text = notice.querySelector("[data-text]");
  const advice = notice.querySelector("[data-advice]");
  if (text) text.textContent = problem.message;
  if (advice) advice.textContent = problem.advice;
  notice.hidden = shown;
  form.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  // The part of the form that is folded away must not hide what is wrong in it.
  form.querySelector("[aria-invalid=true]")?.closest("details")?.setAttribute("open", "");
}

function announce(form: HTMLFormElement, answer: unknown): void {
  const { done, show } = form.dataset;
  if (done) toast(done, "good");
  if (show) {
    const place = document.getElementById(show);
    const secret = (answer as Record<string, unknown> | null)?.["secret"] ?? (answer as Record<string, unknown> | null)?.["password"];
    const code = place?.querySelector("code");
    if (place && code && typeof secret === "string") {
      code.textContent = secret;
      const button = place.querySelector<HTMLButtonElement>("button");
      if (button) button.dataset["copy"] = secret;
      place.hidden = false;
    }
  }
}

async function submit(form: HTMLFormElement): Promise<void> {
  const [method = "POST", path = ""] = (form.dataset["api"] ?? "").split(" ");
  const button = form.querySelector<HTMLButtonElement>("button[type=submit]");
  clearProblems(form);
  if (button) button.disabled = true;
  try {
    const answer = await request(method, path, bodyOf(form));
    announce(form, answer);
    form.reset();
    if (!form.dataset["show"] || form.dataset["shut"] !== undefined) form.closest("dialog")?.close();
    const go = form.dataset["go"];
    if (go) location.assign(go);
    else refreshRegions();
  } catch (error) {
    if (error instanceof Problem) showProblem(form, error);
    else throw error;
  } finally {
    if (button) button.disabled = false;
  }
}

export function startForms(): void {
  document.addEventListener("submit", (event) => {
    const form = event.target as HTMLFormElement;
    if (!form.dataset["api"]) return;
    event.preventDefault();
    void submit(form);
  });
  document.addEventListener("keydown", (event) => {
    const field = event.target as HTMLElement;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && field instanceof HTMLTextAreaElement) {
      field.form?.requestSubmit();
    }
  });
}
