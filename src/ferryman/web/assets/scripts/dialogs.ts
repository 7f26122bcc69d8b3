// Dialogs: `data-open="id"` opens one, `data-close` closes the one it is in, `ask` asks before something is lost.

export interface Question {
  title: string;
  text: string;
  confirm: string;
  danger: boolean;
}

/** Ask a yes-or-no question; resolves false when the dialog is dismissed in any way. */
export function ask(question: Question): Promise<boolean> {
  const dialog = document.getElementById("ask") as HTMLDialogElement;
  const [title, text] = [dialog.querySelector("h2"), dialog.querySelector("[data-text]")];
  const yes = dialog.querySelector<HTMLButtonElement>("[data-yes]");
  if (!title || !text || !yes) return Promise.resolve(false);
  title.textContent = question.title;
  text.textContent = question.text;
  yes.textContent = question.confirm;
  yes.className = question.danger ? "btn btn-fill-danger" : "btn btn-primary";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

export function openDialog(id: string): void {
  const dialog = document.getElementById(id);
  if (!(dialog instanceof HTMLDialogElement) || dialog.open) return;
  dialog.showModal();
  dialog.querySelector<HTMLElement>("[autofocus]")?.focus();
}

export function startDialogs(): void {
  document.addEventListener("click", (event) => {
    const target = event.target as Element;
    const opener = target.closest<HTMLElement>("[data-open]");
    if (opener?.dataset["open"]) {
      event.preventDefault();
      opener.closest("details.menu")?.removeAttribute("open");
      openDialog(opener.dataset["open"]);
    }
    if (target.closest("[data-close]")) target.closest("dialog")?.close();
    // A click on the backdrop lands on the dialog itself.
    if (target instanceof HTMLDialogElement && target.dataset["light"] !== undefined) target.close();
    for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")) {
      if (!menu.contains(target)) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary")?.focus();
    }
  });
  // A sheet that would leave the window opens upwards.
  document.addEventListener(
    "toggle",
    (event) => {
      const menu = event.target as HTMLElement;
      const sheet = menu.matches("details.menu[open]") ? menu.querySelector<HTMLElement>(".menu-sheet") : null;
      if (!sheet) return;
      menu.classList.remove("is-up");
      const room = document.querySelector<HTMLElement>(".bottom")?.offsetHeight ?? 0;
      const { bottom, height } = sheet.getBoundingClientRect();
      const above = menu.getBoundingClientRect().top;
      menu.classList.toggle("is-up", bottom > innerHeight - room && above > height);
    },
    { capture: true },
  );
  const wanted = new URLSearchParams(location.search).get("open");
  if (wanted) openDialog(wanted);
}
