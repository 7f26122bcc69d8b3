// Builds the console's browser assets into src/ferryman/web/static/.
//
// Names are plain: pages add the hash of the content to the address, so that a file can be kept for ever.
// Of Tabler only the rules that some template or script can use are kept.
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import esbuild from "esbuild";
import { PurgeCSS } from "purgecss";

const ROOT = import.meta.dirname;
const ASSETS = path.join(ROOT, "src/ferryman/web/assets");
const OUTPUT = path.join(ROOT, "src/ferryman/web/static");
const ICONS = path.join(ROOT, "node_modules/@tabler/icons/icons/outline");

const TARGET = ["chrome111", "firefox114", "safari16.4"];

async function scripts() {
  const built = await esbuild.build({
    absWorkingDir: ROOT,
    entryPoints: { app: path.join(ASSETS, "scripts/app.ts"), theme: path.join(ASSETS, "scripts/theme.ts") },
    bundle: true,
    minify: true,
    format: "iife",
    target: TARGET,
    legalComments: "none",
    outdir: OUTPUT,
    write: false,
  });
  return built.outputFiles.map((file) => [path.basename(file.path), Buffer.from(file.contents)]);
}

/** Class names that are put together at run time and cannot be found by reading the sources. */
const KEPT = [/^state-/, /^uplot/, /^u-/, /^htmx-/, /^level-/, /^is-/];

/** `a + *` makes browsers style everything again below any element that gains or loses a child, whatever the child is. */
function sparing(css) {
  const kept = css.replace(/legend\s*\+\s*\*/, "legend+div"); // Tabler's
  const costly = /[^{},]*[+~]\s*\*[^{}]*/.exec(kept);
  if (costly) throw new Error(`a sibling selector has to say which siblings it means: ${costly[0].trim()}`);
  return kept;
}

async function styles() {
  const built = await esbuild.build({
    absWorkingDir: ROOT,
    entryPoints: [path.join(ASSETS, "styles/app.css")],
    bundle: true,
    minify: true,
    target: TARGET,
    legalComments: "none",
    loader: { ".woff2": "empty" },
    write: false,
  });
  const [purged] = await new PurgeCSS().purge({
    content: ["src/ferryman/**/*.html", "src/ferryman/web/assets/scripts/*.ts"],
    css: [{ raw: built.outputFiles[0].text }],
    safelist: { standard: KEPT, greedy: [/data-bs-theme/] },
    defaultExtractor: (text) => text.match(/[A-Za-z0-9_:/-]+/g) ?? [],
    keyframes: true,
    fontFace: true,
  });
  const light = sparing(purged.css);
  const small = await esbuild.transform(light, { loader: "css", minify: true });
  return [["app.css", Buffer.from(small.code)]];
}

async function sprite() {
  const names = (await readFile(path.join(ASSETS, "icons.txt"), "utf8")).split(/\s+/).filter(Boolean);
  const symbols = await Promise.all(
    names.map(async (name) => {
      const source = await readFile(path.join(ICONS, `${name}.svg`), "utf8");
      const shapes = [...source.matchAll(/<(?:path|circle|rect|line)\b[^>]*>/g)].map((found) => found[0]);
      const kept = shapes.filter((shape) => !shape.includes('stroke="none"')).join("");
      return `<symbol id="${name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round">${kept}</symbol>`;
    }),
  );
  const text = `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>`;
  return [["icons.svg", Buffer.from(text)]];
}

async function pictures() {
  const folder = path.join(ASSETS, "images");
  const names = await readdir(folder);
  return Promise.all(names.map(async (name) => [name, await readFile(path.join(folder, name))]));
}

async function build() {
  const groups = await Promise.all([scripts(), styles(), sprite(), pictures()]);
  const files = groups.flat();
  await rm(OUTPUT, { recursive: true, force: true });
  await mkdir(OUTPUT, { recursive: true });
  await Promise.all(files.map(([name, content]) => writeFile(path.join(OUTPUT, name), content)));
  const total = files.reduce((sum, [, content]) => sum + content.length, 0);
  for (const [name, content] of files) console.log(`${(content.length / 1024).toFixed(1).padStart(8)} KiB  ${name}`);
  console.log(`${(total / 1024).toFixed(1).padStart(8)} KiB  altogether`);
}

await build();
