// Copies into assets/ what pages load of locked npm packages, and has the scripts that load it name its version.
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const VENDOR = "assets/vendor";

// Browsers keep a file below assets/vendor for a year, so its name tells its version; Dash adds one to the style sheet's.
const SOURCES = [
  { file: "bootstrap/dist/css/bootstrap.min.css", target: () => "assets/bootstrap.min.css" },
  { file: "d3-hierarchy/dist/d3-hierarchy.min.js", target: (version) => `${VENDOR}/d3-hierarchy-${version}.min.js` },
  { file: "d3-hierarchy/LICENSE", target: (version) => `${VENDOR}/d3-hierarchy-${version}.LICENSE` },
  {
    file: "plotly.js-finance-dist-min/plotly-finance.min.js",
    target: (version) => `${VENDOR}/plotly-finance-${version}.min.js`,
  },
];

const read = (path) => readFileSync(join(ROOT, path));
const versionOf = (name) => JSON.parse(read(`node_modules/${name}/package.json`)).version;

// The source maps are not copied, so nothing may ask for them.
const withoutMap = (text) => text.replace(/\n?\/[/*]# sourceMappingURL=\S+( \*\/)?\s*$/, "\n");

function filesBelow(folder) {
  const entries = readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => relative(ROOT, join(entry.parentPath, entry.name)));
}

// What the vendored files are to hold by the installed packages: text by path.
export function vendored() {
  const found = new Map();
  for (const { file, target } of SOURCES) {
    found.set(target(versionOf(file.split("/")[0])), withoutMap(read(`node_modules/${file}`).toString()));
  }
  return found;
}

const withoutVersion = (path) => path.replace(/\d+(\.\d+)+/, "");

// The project's own scripts that load a vendored file, as they are once they name the versions in `files`.
function loaders(files) {
  const own = filesBelow("assets").filter((path) => path.endsWith(".js") && !path.startsWith(VENDOR));
  const present = new Map([...files.keys()].map((path) => [withoutVersion(path), path]));
  const named = /assets\/vendor\/[\w.-]+/g;
  const texts = own.map((path) => [path, read(path).toString()]).filter(([, text]) => text.match(named));
  return texts.map(([path, text]) => [path, text.replace(named, (old) => present.get(withoutVersion(old)) ?? old)]);
}

// What differs from the installed packages, by path; nothing where all is as `renew` would leave it.
export function outdated() {
  const files = vendored();
  const wanted = new Map([...files, ...loaders(files)]);
  const wrong = [...wanted].filter(([path, text]) => !existsSync(join(ROOT, path)) || read(path).toString() !== text);
  const left = filesBelow(VENDOR).filter((path) => !files.has(path));
  return { wrong: new Map(wrong), left };
}

function renew() {
  const { wrong, left } = outdated();
  for (const [path, text] of wrong) writeFileSync(join(ROOT, path), text);
  for (const path of left) rmSync(join(ROOT, path));
  for (const path of [...wrong.keys(), ...left]) console.log(path);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) renew();
