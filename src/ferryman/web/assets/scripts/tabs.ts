// Tabs inside a page, with the arrow keys; the chosen one is kept in the address.

function choose(tab: HTMLElement, focus: boolean): void {
  const list = tab.closest("[role=tablist]");
  for (const one of list?.querySelectorAll<HTMLElement>("[role=tab]") ?? []) {
    const chosen = one === tab;
    one.setAttribute("aria-selected", String(chosen));
    one.tabIndex = chosen ? 0 : -1;
    const panel = document.getElementById(one.getAttribute("aria-controls") ?? "");
    if (panel) panel.hidden = !chosen;
  }
  if (focus) tab.focus();
  const name = tab.dataset["tab"] ?? "";
  history.replaceState(history.state, "", `#${name}`);
  document.dispatchEvent(new CustomEvent("ferry:tab", { detail: name }));
}

export function startTabs(): void {
  const list = document.querySelector("[role=tablist]");
  if (!list) return;
  const tabs = [...list.querySelectorAll<HTMLElement>("[role=tab]")];
  list.addEventListener("click", (event) => {
    const tab = (event.target as Element).closest<HTMLElement>("[role=tab]");
    if (tab) choose(tab, false);
  });
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[(event as KeyboardEvent).key] ?? 0;
    const now = tabs.indexOf(document.activeElement as HTMLElement);
    const next = tabs[(now + step + tabs.length) % tabs.length];
    if (step !== 0 && next) choose(next, true);
  });
  const follow = (): void => {
    const wanted = tabs.find((tab) => `#${tab.dataset["tab"] ?? ""}` === location.hash);
    if (wanted) choose(wanted, false);
  };
  window.addEventListener("hashchange", follow);
  follow();
}
