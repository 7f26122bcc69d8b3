// What the add dialog knows: files that were read, what was seen of them, and what was decided. Pure.

/** One file of an order in parts, as the API reads and takes it. */
export interface Entry {
  urls: string[];
  name: string | null;
  folder: string;
  checksum: string | null;
  size: number | null;
  headers: string[];
  overwrite: string | null;
  duplicates: string | null;
  line?: number | null;
}

export interface Look {
  url: string;
  seen: boolean;
  name: string | null;
  size: number | null;
  mime: string | null;
  resumable: boolean | null;
  duplicate_of: string | null;
  exists: string | null;
  folder?: string;
  rule?: string | null;
  code: string | null;
  error: string | null;
  advice: string | null;
}

export interface Read {
  kind: string;
  entries: Entry[];
  problems: { line: number; text: string; code: string; detail: string; advice: string }[];
  wrong: number;
}

/** One row of the preview. `wanted` is ticked; `error` is what the last attempt to start said about it. */
export interface Item {
  entry: Entry;
  look: Look | null;
  looking: boolean;
  wanted: boolean;
  error: string;
}

export interface Conflict {
  field: string;
  index: number;
  kind: "exists" | "duplicate";
  path: string | null;
  job_id: string | null;
}

export function itemsOf(entries: Entry[]): Item[] {
  return entries.map((entry) => ({ entry: { ...entry }, look: null, looking: false, wanted: true, error: "" }));
}

/** The address to show: never a user name or a password. */
export function shownAddress(entry: Entry): string {
  return (entry.urls[0] ?? "").replace(/^([a-z]+:\/\/)[^/?#]*@/i, "$1");
}

export function nameOf(item: Item): string {
  if (item.entry.name !== null) return item.entry.name;
  if (item.look?.name) return item.look.name;
  const path = shownAddress(item.entry).replace(/^[a-z]+:\/\/[^/]*/i, "").split(/[?#]/)[0] ?? "";
  const last = path.replace(/\/+$/, "").split("/").pop() ?? "";
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

export function sizeOf(item: Item): number | null {
  return item.look?.size ?? item.entry.size;
}

/** What has to be decided about an item before it can start. */
export function questions(item: Item): ("exists" | "duplicate")[] {
  if (!item.wanted || item.look === null) return [];
  const open: ("exists" | "duplicate")[] = [];
  if (item.look.exists !== null && item.entry.overwrite === null) open.push("exists");
  if (item.look.duplicate_of !== null && item.entry.duplicates === null) open.push("duplicate");
  return open;
}

/** Whether an item is left out: unticked, or skipped. */
export function isLeft(item: Item): boolean {
  return !item.wanted || item.entry.overwrite === "skip" || item.entry.duplicates === "skip";
}

export interface Sum {
  files: number;
  size: number;
  unknown: number;
}

export function sumOf(items: Item[]): Sum {
  const kept = items.filter((item) => !isLeft(item));
  const sizes = kept.map(sizeOf);
  return {
    files: kept.length,
    size: sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0),
    unknown: sizes.filter((size) => size === null).length,
  };
}

/** An entry as an order takes it: what is only known here is left out. */
export function orderEntry(entry: Entry): Record<string, unknown> {
  const body: Record<string, unknown> = { urls: entry.urls };
  if (entry.name !== null) body["name"] = entry.name;
  if (entry.folder !== "") body["folder"] = entry.folder;
  if (entry.checksum !== null) body["checksum"] = entry.checksum;
  if (entry.size !== null) body["size"] = entry.size;
  if (entry.headers.length > 0) body["headers"] = entry.headers;
  if (entry.overwrite !== null) body["overwrite"] = entry.overwrite;
  if (entry.duplicates !== null) body["duplicates"] = entry.duplicates;
  return body;
}

const KINDS: [RegExp, string][] = [
  [/\.(zip|7z|rar|tar|tgz|gz|bz2|xz|zst)$/i, "Archive"],
  [/\.(iso|img|qcow2|vmdk|vdi|ova)$/i, "Disk image"],
  [/\.(mp4|mkv|webm|avi|mov)$/i, "Video"],
  [/\.(mp3|flac|ogg|wav|m4a)$/i, "Audio"],
  [/\.(png|jpe?g|gif|webp|svg|avif)$/i, "Image"],
  [/\.(pdf|docx?|odt|epub|txt|md)$/i, "Document"],
  [/\.(deb|rpm|apk|exe|msi|dmg|pkg|appimage|whl|jar)$/i, "Program"],
];

/** What kind of file it is, by its name and else by what the server says. */
export function kindOf(item: Item): string {
  const name = nameOf(item);
  const found = KINDS.find(([pattern]) => pattern.test(name));
  if (found) return found[1];
  const mime = item.look?.mime ?? "";
  if (mime === "text/html") return "Web page";
  return mime.replace(/^application\//, "");
}
