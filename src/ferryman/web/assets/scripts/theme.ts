// Chooses the theme before the first paint: the remembered one, otherwise the system's.

const KEY = "ferry-theme";
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function apply(): void {
  const chosen = localStorage.getItem(KEY) ?? "system";
  const name = chosen === "system" ? (dark.matches ? "dark" : "light") : chosen;
  document.documentElement.dataset.bsTheme = name;
  document.documentElement.dataset.theme = chosen;
}

apply();
dark.addEventListener("change", apply);
document.addEventListener("ferry:theme", (event) => {
  localStorage.setItem(KEY, (event as CustomEvent<string>).detail);
  apply();
});
