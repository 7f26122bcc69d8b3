// The history: filters are saved, and lists are imported; wrong lines are shown, and the rest can be taken.

import { Problem, request } from "./api";
import { clearProblems, showProblem } from "./forms";
import { toast, toastError } from "./toasts";

const MOST_SHOWN = 200;

interface WrongLine {
  line: number;
  url: string;
  detail: string;
}

interface Imported {
  number: number;
  wrong: number;
}

/** What the list is narrowed to now. The server says it with each list, so it is what is shown. */
async function saveFilter(form: HTMLFormElement): Promise<void> {
  const query = JSON.parse(document.getElementById("list")?.dataset["saving"] ?? "{}") as unknown;
  const name = new FormData(form).get("name");
  try {
    await request("POST", "/api/v1/downloads/filters", { name, query });
    form.closest("dialog")?.close();
    form.reset();
    toast("The filter is saved", "good");
    location.reload();
  } catch (error) {
    if (error instanceof Problem) showProblem(form, error);
    else throw error;
  }
}

function linesOf(problem: Problem): WrongLine[] {
  const found: WrongLine[] = [];
  for (const [name, detail] of problem.fields) {
    const line = /^lines\.(\d+)$/.exec(name)?.[1];
    if (line) found.push({ line: Number(line), url: "", detail });
  }
  const told = problem.details["lines"];
  return Array.isArray(told) ? (told as WrongLine[]) : found;
}

function showLines(form: HTMLFormElement, lines: WrongLine[], wrong: number): void {
  const place = form.querySelector<HTMLElement>("[data-wrong]");
  const rows = form.querySelector("[data-wrong-lines]");
  const count = form.querySelector("[data-wrong-count]");
  const rest = form.querySelector<HTMLButtonElement>("[data-import-rest]");
  if (!place || !rows || !count || !rest) return;
  place.hidden = rest.hidden = wrong === 0;
  count.textContent = `${wrong.toLocaleString("en")} ${wrong === 1 ? "line is" : "lines are"} wrong. Nothing was added.`;
  rows.replaceChildren(
    ...lines.slice(0, MOST_SHOWN).map((one) => {
      const row = document.createElement("tr");
      for (const text of [String(one.line), one.url, one.detail]) row.insertCell().textContent = text;
      row.cells[0]?.classList.add("number");
      return row;
    }),
  );
}

async function importList(form: HTMLFormElement, partial: boolean): Promise<void> {
  const text = form.querySelector<HTMLTextAreaElement>("textarea")?.value ?? "";
  const buttons = form.querySelectorAll<HTMLButtonElement>(".dialog-foot button");
  showLines(form, [], 0);
  clearProblems(form);
  for (const button of buttons) button.disabled = true;
  try {
    const done = await request<Imported>("POST", `/api/v1/downloads/import${partial ? "?partial=true" : ""}`, { text });
    form.closest("dialog")?.close();
    form.reset();
    const left = done.wrong > 0 ? `, ${done.wrong.toLocaleString("en")} left out` : "";
    toast(`${done.number.toLocaleString("en")} downloads added${left}`, "good");
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const lines = linesOf(error);
    if (lines.length > 0) showLines(form, lines, Number(error.details["wrong"] ?? lines.length));
    else showProblem(form, error);
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

export function startHistory(): void {
  document.addEventListener("submit", (event) => {
    const form = event.target as HTMLFormElement;
    const { saveFilter: saves, import: imports } = form.dataset;
    if (saves === undefined && imports === undefined) return;
    event.preventDefault();
    void (saves === undefined ? importList(form, false) : saveFilter(form));
  });
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest("[data-import-rest]");
    const form = button?.closest("form");
    if (form) void importList(form, true);
  });
  document.addEventListener("change", (event) => {
    const field = event.target as HTMLInputElement;
    const area = field.form?.querySelector("textarea");
    const file = field.dataset?.["importFile"] === undefined ? undefined : field.files?.[0];
    if (!file || !area) return;
    file.text().then((text) => {
      area.value = text;
    }, toastError);
  });
}
