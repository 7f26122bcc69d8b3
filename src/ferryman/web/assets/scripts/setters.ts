// Fields that take effect at once: `data-set="PUT /api/v1/…"` sends `{data-name: value}` together with `data-with`.

import { Problem, request } from "./api";
import { refreshSoon } from "./refresh";
import { toast, toastError } from "./toasts";

type Field = HTMLInputElement | HTMLSelectElement;

const kept = new WeakMap<Field, string>();
const STEPS_MS = 350;

function valueOf(field: Field): string | number {
  const text = field.value.trim() === "" ? (field.dataset["empty"] ?? "") : field.value.trim();
  return field.dataset["as"] === "number" ? Number(text) : text;
}

async function set(field: Field): Promise<void> {
  const before = kept.get(field) ?? "";
  if (!field.checkValidity()) {
    field.reportValidity();
    field.value = before;
    return;
  }
  const [method = "POST", path = ""] = (field.dataset["set"] ?? "").split(" ");
  const { name = "value", with: more, done } = field.dataset;
  try {
    await request(method, path, { ...(JSON.parse(more ?? "{}") as object), [name]: valueOf(field) });
    kept.set(field, field.value);
    if (done) toast(`${done}${field.value.trim() === "" ? (field as HTMLInputElement).placeholder : field.value}`, "good");
    refreshSoon();
  } catch (error) {
    field.value = before;
    if (error instanceof Problem) toastError(error);
    else throw error;
  }
}

function step(button: HTMLElement): void {
  const field = document.getElementById(button.dataset["for"] ?? "") as HTMLInputElement | null;
  if (!field) return;
  const next = Number(field.value) + Number(button.dataset["step"] ?? 0);
  if (next < Number(field.min) || next > Number(field.max)) return;
  field.value = String(next);
  field.dispatchEvent(new Event("ferry:step", { bubbles: true }));
}

export function startSetters(): void {
  let pending: ReturnType<typeof setTimeout> | undefined;
  const remember = (event: Event): void => {
    const field = event.target as Field;
    if (field.dataset?.["set"] !== undefined && !kept.has(field)) kept.set(field, field.dataset["kept"] ?? field.value);
  };
  document.addEventListener("focusin", remember);
  document.addEventListener("change", (event) => {
    const field = event.target as Field;
    if (field.dataset?.["set"] !== undefined) void set(field);
  });
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-step]");
    if (button) step(button);
  });
  // Several steps in a row are one change.
  document.addEventListener("ferry:step", (event) => {
    const field = event.target as HTMLInputElement;
    if (!kept.has(field)) kept.set(field, field.defaultValue);
    clearTimeout(pending);
    pending = setTimeout(() => void set(field), STEPS_MS);
  });
}
