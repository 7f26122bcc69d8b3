// Icons come from the sprite whose address the page names.

export function icon(name: string): SVGSVGElement {
  const space = "http://www.w3.org/2000/svg";
  const sprite = document.querySelector<HTMLMetaElement>("meta[name=icons]")?.content ?? "";
  const picture = document.createElementNS(space, "svg");
  picture.setAttribute("class", "icon");
  picture.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `${sprite}#${name}`);
  picture.append(use);
  return picture;
}
