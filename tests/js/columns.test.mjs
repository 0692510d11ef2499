import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./page.mjs";

const NAMES = ["star", "rank", "moved", "pair", "market", "price", "stdev", "turnover", "high_24h"];

// The columns that are shown once the table has been fitted to a window of that width.
function shown({ width, columns = null, by = "stdev" }) {
  const visible = new Set(["price"]);
  const column = (name) => ({
    getColId: () => name,
    getColDef: () => ({ initialHide: name === "high_24h", flex: 1 }),
    isVisible: () => visible.has(name),
    getFlex: () => 1,
  });
  const all = new Map(NAMES.map((name) => [name, column(name)]));
  const states = [];
  const grid = {
    getColumns: () => [...all.values()],
    getColumn: (name) => all.get(name),
    setColumnsVisible: (those, isShown) => those.forEach((one) => visible[isShown ? "add" : "delete"](one.getColId())),
    applyColumnState: ({ state }) => states.push(...state),
  };
  const ranking = { view: () => ({ columns, by }) };
  const window = load(["0-ids.js", "ranking/address.js", "ranking/columns.js"], { ranking });
  window.innerWidth = width;
  window.document.elements["ranking-columns"] = { querySelectorAll: () => [] };
  ranking.fit(grid);
  const ticked = window.dash_clientside.props["ranking-columns"].value;
  return { visible: NAMES.filter((name) => visible.has(name)), ticked, states };
}

test("as many columns are shown as the window has room for", () => {
  assert.deepEqual(shown({ width: 1440 }).visible, NAMES.slice(0, -1));
  assert.deepEqual(shown({ width: 1100 }).visible, ["star", "rank", "moved", "pair", "market", "price", "stdev"]);
  assert.deepEqual(shown({ width: 900 }).visible, ["star", "rank", "pair", "price", "stdev"]);
  assert.deepEqual(shown({ width: 390 }).visible, ["star", "rank", "pair", "price"]);
});

test("what one ranks by is shown, however narrow the window", () => {
  assert.deepEqual(shown({ width: 390, by: "volume" }).visible, ["star", "rank", "pair", "price", "turnover"]);
});

test("what was chosen is shown whatever the window, with what is always there", () => {
  const { visible, ticked } = shown({ width: 390, columns: ["high_24h", "market", "star", "nothing"] });

  assert.deepEqual(visible, ["star", "rank", "pair", "market", "high_24h"]);
  assert.deepEqual(ticked, ["market", "high_24h"]);
  assert.deepEqual(shown({ width: 390, columns: ["nothing"] }).visible, ["star", "rank", "pair", "price"]);
});

test("on a phone the rank takes no more room than it needs", () => {
  assert.deepEqual(shown({ width: 390 }).states, [{ colId: "rank", flex: null, width: 48 }]);
  assert.deepEqual(shown({ width: 1440 }).states, []);
});
