import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./page.mjs";

const row = (key) => ({ id: key, key });

function page(parts = {}) {
  const done = [];
  const grid = {
    getRowNode: (id) => ({ id }),
    refreshCells: ({ rowNodes }) => done.push(rowNodes && rowNodes.map((node) => node.id)),
    refreshClientSideRowModel() {},
    onFilterChanged: () => done.push("filtered"),
  };
  const ranking = { gridApi: async () => grid, view: () => ({ only: parts.only ?? "" }) };
  const window = load(["0-ids.js", "ranking/favourites.js"], { ranking, ...parts });
  return { ranking, done, window };
}

test("a favourite is stored by its key, found by the next visit, and removed by a second press", async () => {
  const { ranking, done, window } = page();
  assert.equal(ranking.hasFavourites(), false);

  await ranking.toggleFavourite(row("kraken:BTC-USD"));

  assert.equal(window.localStorage.getItem("favourites"), '["kraken:BTC-USD"]');
  assert.deepEqual(done, [["kraken:BTC-USD"]]);
  const next = page({ localStorage: window.localStorage }).ranking;
  assert.deepEqual(["kraken:BTC-USD", "okx:BTC-USD"].map(row).map(next.isFavourite), [true, false]);
  await next.toggleFavourite(row("kraken:BTC-USD"));
  assert.equal(next.hasFavourites(), false);
});

test("favourites come first, and both they and the others keep their order", async () => {
  const { ranking } = page({ localStorage: { getItem: () => '["d","b"]' } });
  const nodes = ["a", "b", "c", "d"].map((key) => ({ data: row(key) }));

  ranking.favouritesFirst({ nodes });

  assert.deepEqual(
    nodes.map((node) => node.data.key),
    ["b", "d", "a", "c"],
  );
});

test("an invalid stored value counts as no favourites", () => {
  for (const stored of ["{", "7", '{"a":1}', "null"]) {
    assert.equal(page({ localStorage: { getItem: () => stored } }).ranking.hasFavourites(), false, stored);
  }
  const some = page({ localStorage: { getItem: () => '["a",7,null]' } }).ranking;
  assert.deepEqual([some.isFavourite(row("a")), some.isFavourite(row(7))], [true, false]);
});

test("a favourite lasts until the tab closes if storage is forbidden", async () => {
  const refuse = () => {
    throw new Error("denied");
  };
  const { ranking } = page({ localStorage: { getItem: refuse, setItem: refuse } });

  await ranking.toggleFavourite(row("a"));

  assert.equal(ranking.isFavourite(row("a")), true);
});

test("favourites of another tab are shown if the table is open", async () => {
  const storage = { text: "[]", getItem: () => storage.text };
  const { ranking, done, window } = page({ localStorage: storage, only: "favourites" });
  assert.equal(ranking.hasFavourites(), false);
  storage.text = '["a"]';

  window.send("storage", { key: "favourites" });
  assert.equal(ranking.hasFavourites(), false, "on another page nothing is to be shown");
  window.document.elements["ranking-table"] = {};
  window.send("storage", { key: "theme" });
  window.send("storage", { key: "favourites" });
  await null;

  assert.equal(ranking.isFavourite(row("a")), true);
  assert.deepEqual(done, [undefined, "filtered"]);
});
