// What was done, said here or on the page that comes next, with the offer to take it back.

import { request } from "./api";
import { refreshRegions } from "./refresh";
import { toast, toastError } from "./toasts";

const KEPT = "ferry:told";
/** How long it is offered to take something back. */
const UNDO_MS = 30_000;
/** What was kept for a page that never came is old news. */
const FRESH_MS = 15_000;

/** A message; `undo` is the request that takes back what it tells of. */
export interface Told {
  message: string;
  undo: { send: string; body: unknown } | null;
}

async function takeBack({ send, body }: NonNullable<Told["undo"]>): Promise<void> {
  const [method = "POST", path = ""] = send.split(" ");
  try {
    await request(method, path, body);
    toast("It is back", "good");
    refreshRegions();
  } catch (error) {
    toastError(error);
  }
}

export function tellNow(told: Told): void {
  if (told.message === "") return;
  const { undo } = told;
  if (undo === null) toast(told.message, "good");
  else toast(told.message, "good", "", { label: "Undo", act: () => void takeBack(undo), ms: UNDO_MS });
}

/** Say it on the next page of this window. */
export function tellThere(told: Told): void {
  if (told.message !== "") sessionStorage.setItem(KEPT, JSON.stringify({ ...told, at: Date.now() }));
}

export function startTelling(): void {
  const kept = sessionStorage.getItem(KEPT);
  if (kept === null) return;
  sessionStorage.removeItem(KEPT);
  const told = JSON.parse(kept) as Told & { at: number };
  if (Date.now() - told.at < FRESH_MS) tellNow(told);
}
