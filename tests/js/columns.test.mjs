import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./page.mjs";

const NAMES = ["star", "rank", "moved", "pair", "market", "price", "change_24h", "stdev", "turnover", "high_24h"];

const WIDTHS = {
  star: 36,
  rank: 50,
  moved: 80,
  pair: 120,
  market: 90,
  price: 110,
  change_24h: 90,
  stdev: 110,
  turnover: 90,
  high_24h: 110,
};

// The table after it was fitted to a frame of this width.
function fitted({ width, columns = null, by = "stdev", given = {} }) {
  const visible = new Set(["price"]);
  const least = new Map(NAMES.map((name) => [name, given[name]]));
  const column = (name) => ({
    getColId: () => name,
    getColDef: () => ({ initialHide: name === "high_24h" }),
    isVisible: () => visible.has(name),
    getMinWidth: () => least.get(name),
  });
  const all = new Map(NAMES.map((name) => [name, column(name)]));
  const definitions = [];
  const grid = {
    getColumns: () => [...all.values()],
    getColumn: (name) => all.get(name),
    getColumnDefs: () => NAMES.map((field) => ({ field, flex: field === "rank" ? 0 : 1 })),
    setGridOption: (name, value) => definitions.push(...value),
    setColumnsVisible: (those, isShown) => those.forEach((one) => visible[isShown ? "add" : "delete"](one.getColId())),
  };
  const ranking = { view: () => ({ columns, by }), measureColumns: () => WIDTHS };
  const window = load(["0-ids.js", "ranking/address.js", "ranking/columns.js"], { ranking });
  const frame = { clientWidth: width, dataset: {} };
  window.document.elements["ranking-frame"] = frame;
  window.document.elements["ranking-columns"] = { querySelectorAll: () => [] };
  ranking.fitColumns(grid);
  const ticked = window.dash_clientside.props["ranking-columns"].value;
  return { visible: NAMES.filter((name) => visible.has(name)), ticked, definitions, market: frame.dataset.market };
}

test("as many columns are shown as the window has room for, the less important hidden first", () => {
  const all = NAMES.slice(0, -1);
  const without = (...names) => all.filter((name) => !names.includes(name));

  assert.deepEqual(fitted({ width: 1400 }).visible, all);
  assert.deepEqual(fitted({ width: 760 }).visible, without("moved"));
  assert.deepEqual(fitted({ width: 690 }).visible, without("moved", "market"));
  assert.deepEqual(fitted({ width: 600 }).visible, without("moved", "market", "turnover"));
  assert.deepEqual(fitted({ width: 350 }).visible, ["star", "rank", "pair", "price", "change_24h"]);
});

test("a market without a column is shown under the pair", () => {
  assert.equal(fitted({ width: 1400 }).market, "column");
  assert.equal(fitted({ width: 690 }).market, "under-pair");
});

test("the column that is ranked by is shown in a narrow window too", () => {
  const { visible } = fitted({ width: 350, by: "volume" });
  assert.deepEqual(visible, ["star", "rank", "pair", "price", "change_24h", "turnover"]);
});

test("chosen columns are shown in any window, beside those that are always shown", () => {
  const { visible, ticked } = fitted({ width: 350, columns: ["high_24h", "market", "star", "nothing"] });

  assert.deepEqual(visible, ["star", "rank", "pair", "market", "high_24h"]);
  assert.deepEqual(ticked, ["market", "high_24h"]);
  const { visible: usual } = fitted({ width: 350, columns: ["nothing"] });
  assert.deepEqual(usual, ["star", "rank", "pair", "price", "change_24h"]);
});

test("no column becomes narrower than its content, and the grid is given the widths once", () => {
  const { definitions } = fitted({ width: 1400 });
  assert.deepEqual(
    definitions.map(({ field, minWidth }) => [field, minWidth]),
    NAMES.map((name) => [name, WIDTHS[name]]),
  );
  assert.equal(definitions.find(({ field }) => field === "rank").width, WIDTHS.rank, "what takes no share has a width");
  assert.deepEqual(fitted({ width: 1400, given: WIDTHS }).definitions, []);
});
