// Bytes, rates and times the way ferryman.core.units writes them, so that live values read like rendered ones.

export function size(count: number): string {
  let value = count;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (Math.abs(value) < 1024) return unit === "B" ? `${Math.round(value)} B` : `${value.toFixed(1)} ${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(1)} TiB`;
}

export function rate(value: number): string {
  return `${size(value)}/s`;
}

export function eta(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || seconds < 0) return "—";
  if (seconds < 10) return "a few seconds";
  if (seconds < 55) return `about ${Math.round(seconds / 5) * 5} s`;
  if (seconds < 3300) return `about ${Math.max(1, Math.round(seconds / 60))} min`;
  if (seconds < 86400) return `about ${Math.max(1, Math.round(seconds / 3600))} h`;
  return `about ${Math.round(seconds / 86400)} d`;
}

/** How long ago (or how long until) `then` is, from `now`; both in milliseconds. */
export function relative(then: number, now: number): string {
  const seconds = Math.round((now - then) / 1000);
  const distance = Math.abs(seconds);
  if (distance < 10) return "just now";
  const text =
    distance < 60 ? `${distance} s`
    : distance < 3600 ? `${Math.round(distance / 60)} min`
    : distance < 86400 ? `${Math.round(distance / 3600)} h`
    : distance < 86400 * 30 ? `${Math.round(distance / 86400)} d`
    : "";
  if (text === "") return new Date(then).toLocaleDateString(undefined, { dateStyle: "medium" });
  return seconds < 0 ? `in ${text}` : `${text} ago`;
}

/** How long something took: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
