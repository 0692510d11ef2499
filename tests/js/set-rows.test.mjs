import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./page.mjs";

// A stub of the grid: its rows, and what was done to them.
function grid(rows = []) {
  const nodes = new Map(
    rows.map((data) => [data.id, { id: data.id, data, updateData: (now) => (nodes.get(data.id).drawn = now) }]),
  );
  const done = [];
  return {
    nodes,
    done,
    isDestroyed: () => false,
    getRowNode: (id) => nodes.get(id),
    forEachNode: (each) => [...nodes.values()].forEach(each),
    getRenderedNodes: () => [...nodes.values()].slice(0, 1),
    setGridOption: (name, value) => done.push([name, value.length]),
    applyTransaction: ({ add, remove }) =>
      done.push(["add", add.map((one) => one.id), "remove", remove.map((one) => one.id)]),
    refreshClientSideRowModel: (step) => done.push([step]),
  };
}

// Pauses take no time here; `now` says how much of it has passed.
function setRows(table, now = () => 0) {
  const pauses = [];
  const scheduler = { yield: async () => void pauses.push(now()) };
  const ranking = { gridApi: async () => table };
  const window = load(["ranking/set-rows.js"], { ranking, scheduler, performance: { now } });
  window.scheduler = scheduler;
  return { give: ranking.setRows, pauses };
}

const rows =
  (...ids) =>
  (place) => ({ id: ids[place], price: place });

test("the first rows are set as a whole", async () => {
  const table = grid();
  const { give } = setRows(table);

  await give(3, rows("1", "2", "3"));

  assert.deepEqual(table.done, [["rowData", 3]]);
});

test("existing rows get new values, others come and go, and visible rows are drawn", async () => {
  const table = grid([{ id: "1" }, { id: "2" }, { id: "3" }]);
  const { give } = setRows(table);

  await give(3, rows("2", "1", "4"));

  assert.deepEqual(table.done, [["add", ["4"], "remove", ["3"]], ["filter"]]);
  assert.deepEqual([table.nodes.get("1").data.price, table.nodes.get("2").data.price], [1, 0]);
  assert.equal(table.nodes.get("1").drawn.price, 1);
});

test("a row knows the direction of its last price change", async () => {
  const table = grid([
    { id: "1", price: 10 },
    { id: "2", price: 10 },
    { id: "3", price: 10, went: -1 },
    { id: "4", price: 10 },
    { id: "5", price: null },
  ]);
  const { give } = setRows(table);
  const prices = [11, 9, 10, 10, 4];

  await give(5, (place) => ({ id: place + 1 + "", price: prices[place] }));

  const ways = [...table.nodes.values()].map((node) => node.data.went);
  assert.deepEqual(ways, [1, -1, -1, 0, 0]);
});

test("many rows are set in slices, with pauses in which the page responds", async () => {
  let time = 0;
  const { give, pauses } = setRows(grid([{ id: "0" }]), () => (time += 6)); // each look at the clock is 6 ms later
  const ids = Array.from({ length: 1000 }, (_, place) => place + "");

  await give(1000, rows(...ids));

  assert.ok(pauses.length >= 2, `${pauses.length}`);
});

test("newer rows end a call that is under way", async () => {
  let time = 0;
  const table = grid([{ id: "0" }]);
  const { give } = setRows(table, () => (time += 100));
  const ids = Array.from({ length: 1000 }, (_, place) => place + "");

  await Promise.all([give(1000, rows(...ids)), give(2, rows("0", "x"))]);

  assert.deepEqual(table.done, [["add", ["x"], "remove", []], ["filter"]]);
});
