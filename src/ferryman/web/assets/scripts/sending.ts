// Files sent to the folder of bundles in parts: a connection that breaks off goes on where the server says it was.

import { Problem, request, sendPart } from "./api";

/** Bytes of one request: small enough to show how far it is, large enough to be few. */
const PART = 8 << 20;
const TRIES = 6;
const PAUSE_MS = 1500;

interface Upload {
  id: string;
  offset: number;
  complete: boolean;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}

/** Whether trying again may help: nobody answered, or somebody in between gave up. */
function passes(error: unknown): boolean {
  return error instanceof Problem && (error.status === 0 || error.status >= 502);
}

/** Send `file` under its name; `told` hears how many bytes are there. Throws `Problem`. */
export async function sendFile(file: File, told: (bytes: number) => void): Promise<void> {
  let upload = await request<Upload>("POST", "/api/v1/bundle-uploads", { name: file.name, size: file.size, replace: true });
  const path = `/api/v1/bundle-uploads/${encodeURIComponent(upload.id)}`;
  let tries = 0;
  while (!upload.complete) {
    told(upload.offset);
    try {
      const part = file.slice(upload.offset, upload.offset + PART);
      upload = await sendPart<Upload>(path, part, upload.offset);
      tries = 0;
    } catch (error) {
      tries += 1;
      const moved = error instanceof Problem && error.status === 409;
      if (tries > TRIES || !(moved || passes(error))) throw error;
      await pause();
      upload = await request<Upload>("GET", path).catch((again: unknown) => {
        if (passes(again)) return upload;
        throw again;
      });
    }
  }
  told(file.size);
}
