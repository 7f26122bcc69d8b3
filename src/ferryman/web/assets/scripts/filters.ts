// Filters keep the address of the page in step with what is shown, so that it can be shared and reloaded.

export function startFilters(): void {
  // Another filter begins at the first page. This runs before the form is sent.
  document.addEventListener(
    "input",
    (event) => {
      const form = (event.target as Element).closest("form[data-filters]");
      for (const field of form?.querySelectorAll("input[name=cursor], input[name=start]") ?? []) field.remove();
    },
    { capture: true },
  );
  document.addEventListener("htmx:after:request", (event) => {
    const form = (event.target as Element).closest<HTMLFormElement>("form[data-filters]");
    if (!form) return;
    const values = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (typeof value === "string" && value !== "") values.append(name, value);
    const query = values.toString();
    history.replaceState(history.state, "", query === "" ? location.pathname : `${location.pathname}?${query}`);
  });
}
