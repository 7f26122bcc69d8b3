// The menu of a row: its sheet is made from one template when it is opened, so that a long list stays light.

import { size } from "./units";

function furnish(menu: HTMLDetailsElement): void {
  const template = document.getElementById("row-menu");
  if (!(template instanceof HTMLTemplateElement)) return;
  const sheet = template.content.cloneNode(true) as DocumentFragment;
  const { menu: state = "", id = "", title = "", bytes = "0" } = menu.dataset;
  for (const item of sheet.querySelectorAll<HTMLElement>(".menu-item")) {
    const states = item.dataset["when"]?.split(" ");
    if (states && !states.includes(state)) item.remove();
    if (item instanceof HTMLAnchorElement) {
      // Only a download can be limited, and other lists hold jobs of every kind.
      if (location.pathname.startsWith("/downloads")) item.href = `/jobs/${encodeURIComponent(id)}?open=limit`;
      else item.remove();
    }
    item.dataset["id"] = id;
    item.dataset["title"] = title;
    if (item.dataset["act"] !== "cancel") continue;
    const arrived = Number(bytes);
    item.dataset["confirm"] =
      arrived > 0 ? `The ${size(arrived)} of ${title} that already arrived are given up.` : `${title} has not begun; nothing is lost.`;
  }
  menu.append(sheet);
}

export function startRowMenus(): void {
  document.addEventListener(
    "toggle",
    (event) => {
      const menu = event.target as HTMLDetailsElement;
      if (!menu.matches("details.menu.is-row")) return;
      menu.querySelector(".menu-sheet")?.remove();
      if (menu.open) furnish(menu);
    },
    { capture: true },
  );
}
