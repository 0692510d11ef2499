// Python names functions of the scripts as text, which no compiler checks.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { load } from "./page.mjs";

const ROOT = new URL("../../", import.meta.url);
const inFolder = (folder, ending) =>
  readdirSync(new URL(folder, ROOT))
    .filter((name) => name.endsWith(ending))
    .sort();

// In Dash's order: those at the top by name, then those of each folder.
const SCRIPTS = [...inFolder("assets/", ".js"), ...inFolder("assets/ranking/", ".js").map((name) => `ranking/${name}`)];

function named(folder, ...patterns) {
  const text = inFolder(folder, ".py")
    .map((name) => readFileSync(new URL(folder + name, ROOT), "utf8"))
    .join("\n");
  return new Set(patterns.flatMap((pattern) => [...text.matchAll(pattern)].map(([, name]) => name)));
}

const window = load(SCRIPTS, {
  React: {},
  matchMedia: () => ({ addEventListener() {} }),
  history: {},
});

test("every function that a callback names exists, and no other", () => {
  const wanted = named("callbacks/", /ClientsideFunction\(\s*BROWSER,\s*"(\w+)"/g);

  assert.ok(wanted.size > 20);
  assert.deepEqual(new Set(Object.keys(window.dash_clientside.tracker)), wanted);
});

test("every function and cell renderer that the table names exists", () => {
  const functions = named("layouts/", /"(\w+)\((?:params)?\)"/g, /"function": "(\w+)"/g, /"([a-z]+Text)"/g);
  const cells = named("layouts/", /"cellRenderer": "(\w+)"/g);

  assert.ok(functions.size > 10 && cells.size > 3);
  assert.deepEqual(
    [...functions].filter((name) => !(name in window.dashAgGridFunctions)),
    [],
  );
  assert.deepEqual(new Set(Object.keys(window.dashAgGridComponentFunctions)), cells);
});

test("every function that one part of the ranking calls exists in another", () => {
  const own = SCRIPTS.filter((name) => name.startsWith("ranking/"));
  const texts = own.map((name) => readFileSync(new URL(`assets/${name}`, ROOT), "utf8")).join("\n");
  const called = new Set([...texts.matchAll(/(?<![/\w])ranking\.(\w+)/g)].map(([, name]) => name));

  assert.deepEqual(
    [...called].filter((name) => !(name in window.trackerRanking)),
    [],
  );
});
