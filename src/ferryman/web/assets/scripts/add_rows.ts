// The rows of the preview. Everything that comes from outside becomes text, never markup.

import { type Item, isLeft, kindOf, nameOf, questions, shownAddress, sizeOf } from "./add_model";
import { icon } from "./icons";
import { size as sizeText } from "./units";


function element<K extends keyof HTMLElementTagNameMap>(name: K, style = "", text = ""): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  if (style) made.className = style;
  if (text) made.textContent = text;
  return made;
}

function choice(label: string, value: string | null, choices: [string, string][], changed: (value: string) => void): HTMLElement {
  const select = element("select", "form-select add-choice");
  select.setAttribute("aria-label", label);
  const none = element("option", "", "Choose…");
  none.value = "";
  select.append(none);
  for (const [option, text] of choices) {
    const made = element("option", "", text);
    made.value = option;
    select.append(made);
  }
  select.value = value ?? "";
  select.addEventListener("change", () => changed(select.value));
  return select;
}

/** The lines below a name: what is wrong, and what has to be decided. */
function notes(item: Item, redraw: () => void): HTMLElement[] {
  const found: HTMLElement[] = [];
  const { look, entry } = item;
  const wrong = item.error || (look?.error ?? "");
  if (wrong) {
    const line = element("div", "under wraps is-bad", wrong);
    line.append(" ", element("span", "soft", item.error ? "" : (look?.advice ?? "")));
    found.push(line);
  }
  if (look?.rule) found.push(element("div", "under", `By the rule ${look.rule}${look.folder ? `, into ${look.folder}` : ""}`));
  if (look?.exists) {
    const line = element("div", "add-question");
    line.append(element("span", "wraps", "A file with this name is there already."));
    line.append(
      choice(`What to do with ${nameOf(item)}, which is there`, entry.overwrite, [["rename", "Keep both"], ["overwrite", "Replace"], ["skip", "Skip"]], (value) => {
        entry.overwrite = value || null;
        redraw();
      }),
    );
    found.push(line);
  }
  if (look?.duplicate_of) {
    const line = element("div", "add-question");
    const said = element("span", "wraps");
    const earlier = element("a", "", "an earlier download");
    earlier.href = `/jobs/${encodeURIComponent(look.duplicate_of)}`;
    earlier.target = "_blank";
    said.append("The same as ", earlier, ".");
    line.append(said);
    line.append(
      choice(`What to do with ${nameOf(item)}, which was asked for before`, entry.duplicates, [["add", "Download again"], ["skip", "Skip"]], (value) => {
        entry.duplicates = value || null;
        redraw();
      }),
    );
    found.push(line);
  }
  return found;
}

function resumable(item: Item): HTMLElement {
  const cell = element("td", "soft add-resumable");
  if (item.looking) cell.textContent = "Looking…";
  else if (item.look === null || !item.look.seen) cell.textContent = "Not looked at";
  else if (item.look.code !== null) {
    cell.append(icon("alert-circle"), " Fails");
    cell.classList.add("is-bad");
  } else if (item.look.resumable) cell.append(icon("check"), " Yes");
  else cell.textContent = "No";
  return cell;
}

export function row(item: Item, number: number, changed: () => void): HTMLTableRowElement {
  const made = element("tr", "");
  made.dataset["item"] = String(number);
  const redraw = (): void => {
    made.replaceWith(row(item, number, changed));
    changed();
  };
  const box = element("input", "form-check-input");
  box.type = "checkbox";
  box.checked = item.wanted;
  box.setAttribute("aria-label", `Download ${nameOf(item)}`);
  box.addEventListener("change", () => {
    item.wanted = box.checked;
    redraw();
  });
  const check = element("td", "c-check");
  check.append(box);
  const title = element("td", "c-title");
  const name = element("input", "form-control add-name");
  name.value = nameOf(item);
  name.setAttribute("aria-label", `Name of ${shownAddress(item.entry)}`);
  name.spellcheck = false;
  name.maxLength = 240;
  name.addEventListener("change", () => {
    const typed = name.value.trim();
    item.entry.name = typed === "" ? null : typed;
    if (item.look) item.look.exists = null; // another name: the server says again when it starts
    item.error = "";
    redraw();
  });
  const address = element("div", "under", shownAddress(item.entry));
  address.title = shownAddress(item.entry);
  if (item.entry.urls.length > 1) address.textContent += ` and ${item.entry.urls.length - 1} more`;
  title.append(name, address, ...notes(item, redraw));
  const bytes = sizeOf(item);
  const size = element("td", "number c-size", bytes === null ? "—" : sizeText(bytes));
  made.append(check, title, size, resumable(item), element("td", "soft add-kind", kindOf(item)));
  made.classList.toggle("is-left", isLeft(item));
  made.classList.toggle("is-open", questions(item).length > 0);
  return made;
}
