// Requests to the API this console shares with everyone else; a refusal becomes a `Problem`.

/** An RFC 9457 problem document, or what stands for one when the server could not be reached. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    message: string,
    readonly advice: string,
    readonly fields: ReadonlyMap<string, string>,
    readonly details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }
}

function csrf(): string {
  return document.querySelector<HTMLMetaElement>("meta[name=csrf]")?.content ?? "";
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Field messages: either `{name: message}` or a list of `{field|name|pointer, message|detail}`. */
function fieldsOf(body: Record<string, unknown>): Map<string, string> {
  const found = new Map<string, string>();
  const source = body["errors"] ?? body["fields"];
  if (Array.isArray(source)) {
    for (const item of source as Record<string, unknown>[]) {
      const name = text(item["field"]) || text(item["name"]) || text(item["pointer"]);
      found.set(name.replace(/^[#/]+/, "").replaceAll("/", "."), text(item["message"]) || text(item["detail"]));
    }
  } else if (source !== null && typeof source === "object") {
    for (const [name, message] of Object.entries(source)) found.set(name, text(message));
  }
  return found;
}

async function problem(response: Response): Promise<Problem> {
  let body: Record<string, unknown> = {};
  try {
    body = (await response.json()) as Record<string, unknown>;
  } catch {
    // Not JSON: the status alone must do.
  }
  const title = text(body["title"]) || `The server answered ${response.status}`;
  return new Problem(
    response.status,
    text(body["code"]),
    title,
    text(body["detail"]) || title,
    text(body["advice"]),
    fieldsOf(body),
    (body["details"] ?? {}) as Record<string, unknown>,
  );
}

/** Send a request and return its JSON (`null` when there is none). Throws `Problem`. */
export function request<T = unknown>(
  method: string,
  path: string,
  body?: unknown,
  more: Readonly<Record<string, string>> = {},
): Promise<T> {
  const data = body === undefined ? undefined : JSON.stringify(body);
  return send<T>(method, path, data, { "Content-Type": "application/json", ...more });
}

/** Send a text or a file as it is. Throws `Problem`. */
export function upload<T = unknown>(path: string, data: string | Blob, type: string): Promise<T> {
  return send<T>("POST", path, data, { "Content-Type": type });
}

/** Send bytes of an upload that belong at `offset`. Throws `Problem`. */
export function sendPart<T = unknown>(path: string, part: Blob, offset: number): Promise<T> {
  return send<T>("PATCH", path, part, { "Content-Type": "application/octet-stream", "Upload-Offset": String(offset) });
}

async function send<T>(
  method: string,
  path: string,
  body: string | Blob | undefined,
  more: Readonly<Record<string, string>>,
): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json", ...more };
  if (body === undefined) delete headers["Content-Type"];
  if (method !== "GET") headers["X-CSRF-Token"] = csrf();
  const init: RequestInit = { method, headers, credentials: "same-origin" };
  if (body !== undefined) init.body = body;
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch {
    throw new Problem(
      0,
      "unreachable",
      "Ferryman does not answer",
      "Ferryman does not answer.",
      "Check that the daemon is running: ferry status",
      new Map(),
    );
  }
  if (response.status === 401) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  }
  if (!response.ok) throw await problem(response);
  const answer = await response.text();
  return (answer === "" ? null : JSON.parse(answer)) as T;
}
