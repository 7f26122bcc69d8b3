// Writing and loading bundles: what goes in is chosen from the depot, files are sent, and the job shows the rest.

import { Problem, request } from "./api";
import { clearProblems, showProblem } from "./forms";
import { refreshRegions } from "./refresh";
import { sendFile } from "./sending";
import { tellThere } from "./telling";
import { size } from "./units";

const VOLUME = /\.\d{3,5}$/;

/** Do it with the button disabled; what is refused is said in the form. */
async function attempt(form: HTMLFormElement, work: () => Promise<void>): Promise<void> {
  const button = form.querySelector<HTMLButtonElement>("button[type=submit]");
  clearProblems(form);
  if (button) button.disabled = true;
  try {
    await work();
  } catch (error) {
    if (error instanceof Problem) showProblem(form, error);
    else throw error;
  } finally {
    if (button) button.disabled = false;
  }
}

/** Order a job, and go to its page. */
async function order(body: Record<string, unknown>, message: string): Promise<void> {
  const job = await request<{ id: string }>("POST", "/api/v1/bundles", body);
  tellThere({ message, undo: null });
  location.assign(`/jobs/${encodeURIComponent(job.id)}`);
}

function refuse(field: string, message: string): never {
  throw new Problem(422, "", message, message, "", new Map([[field, message]]));
}

function chosen(form: HTMLFormElement): HTMLInputElement[] {
  return [...form.querySelectorAll<HTMLInputElement>("input[name=refs]:checked")];
}

function count(form: HTMLFormElement): void {
  const boxes = chosen(form);
  const place = form.querySelector("[data-chosen]");
  if (!place) return;
  const bytes = boxes.reduce((sum, box) => sum + Number(box.dataset["size"] ?? 0), 0);
  place.textContent =
    boxes.length === 0 ? "Nothing is chosen yet." : `${boxes.length} chosen, ${size(bytes)} at most: what they share goes in once.`;
}

function narrow(form: HTMLFormElement, words: string): void {
  const wanted = words.trim().toLowerCase();
  for (const row of form.querySelectorAll<HTMLElement>(".choose-row")) {
    row.hidden = !(row.textContent ?? "").toLowerCase().includes(wanted);
  }
}

async function write(form: HTMLFormElement): Promise<void> {
  const data = new FormData(form);
  const name = String(data.get("name") ?? "").trim();
  const volume = Number(data.get("volume") || 0) * Number(data.get("unit") ?? 1);
  const refs = chosen(form).map((box) => box.value);
  if (refs.length === 0) refuse("refs", "Choose at least one image or model.");
  if (name === "") refuse("name", "Give the file a name.");
  const body: Record<string, unknown> = { action: "create", name, refs, zstd: data.has("zstd") };
  if (volume > 0) body["volume_size"] = Math.round(volume);
  if (data.get("against")) body["against"] = data.get("against");
  await order(body, `${name} is being written`);
}

/** Send the inventory of the receiver and choose it. */
async function inventory(field: HTMLInputElement): Promise<void> {
  const form = field.form;
  const file = field.files?.[0];
  const list = form?.querySelector<HTMLSelectElement>("select[name=against]");
  const said = form?.querySelector("[data-inventory-said]");
  if (!form || !file || !list || !said) return;
  await attempt(form, async () => {
    await sendFile(file, (bytes) => (said.textContent = `Sending ${file.name}, ${size(bytes)} of ${size(file.size)}`));
    if (![...list.options].some((option) => option.value === file.name)) list.add(new Option(file.name, file.name));
    list.value = file.name;
    said.textContent = `What ${file.name} names is left out.`;
  });
  field.value = "";
}

/** The name of the bundle that these files are. */
function stemOf(files: File[]): string {
  const stems = new Set(files.map((file) => (files.length > 1 ? file.name.replace(VOLUME, "") : file.name)));
  const [first] = stems;
  if (stems.size !== 1 || first === undefined) refuse("name", "These files belong to different bundles: load one after the other.");
  return first;
}

async function load(form: HTMLFormElement): Promise<void> {
  const data = new FormData(form);
  const files = [...(form.querySelector<HTMLInputElement>("[data-volumes]")?.files ?? [])];
  const name = files.length > 0 ? stemOf(files) : String(data.get("name") ?? "");
  if (name === "") refuse("name", "Choose files, or one that lies here.");
  const whole = files.reduce((sum, file) => sum + file.size, 0);
  let done = 0;
  for (const file of files) {
    await sendFile(file, (bytes) => showSent(form, file.name, done + bytes, whole));
    done += file.size;
  }
  await order({ action: "load", name, more: data.has("more") }, `${name} is being loaded`);
}

function showSent(form: HTMLFormElement, name: string, bytes: number, whole: number): void {
  const place = form.querySelector<HTMLElement>("[data-sending]");
  if (!place) return;
  const percent = whole === 0 ? 100 : Math.floor((bytes / whole) * 100);
  place.hidden = false;
  const put = (what: string, text: string): void => {
    const found = place.querySelector(what);
    if (found) found.textContent = text;
  };
  put("[data-sending-name]", `Sending ${name}, ${size(bytes)} of ${size(whole)}`);
  put("[data-sending-percent]", `${percent}%`);
  const bar = place.querySelector("progress");
  if (bar) bar.value = percent;
}

async function trust(form: HTMLFormElement): Promise<void> {
  const name = String(new FormData(form).get("name") ?? "");
  await request("PUT", `/api/v1/bundle-keys/${encodeURIComponent(name)}`, { key: form.dataset["trust"] });
  tellThere({ message: `Bundles of ${name} are accepted`, undo: null });
  location.reload();
}

function submitted(event: SubmitEvent): void {
  const form = event.target as HTMLFormElement;
  const { bundleWrite, bundleLoad, trust: key } = form.dataset;
  const work = bundleWrite !== undefined ? write : bundleLoad !== undefined ? load : key !== undefined ? trust : null;
  if (work === null) return;
  event.preventDefault();
  void attempt(form, () => work(form)).finally(() => {
    const place = form.querySelector<HTMLElement>("[data-sending]");
    if (place) place.hidden = true;
    if (bundleLoad !== undefined) refreshRegions();
  });
}

export function startBundles(): void {
  const writing = document.querySelector<HTMLFormElement>("[data-bundle-write]");
  document.addEventListener("submit", submitted);
  if (!writing) return;
  // What there is to choose from is asked for when the dialog is opened.
  document.addEventListener("click", (event) => {
    if ((event.target as Element).closest('[data-open="write-bundle"]')) {
      document.getElementById("offered")?.dispatchEvent(new Event("offer"));
      count(writing);
    }
  });
  writing.addEventListener("change", (event) => {
    const field = event.target as HTMLInputElement;
    if (field.name === "refs") count(writing);
    if (field.dataset["inventory"] !== undefined) void inventory(field);
  });
  writing.addEventListener("input", (event) => {
    const field = event.target as HTMLInputElement;
    if (field.dataset["chooseSearch"] !== undefined) narrow(writing, field.value);
  });
}
