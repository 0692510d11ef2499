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
  const ranking = { api: async () => grid, view: () => ({ only: parts.only ?? "" }) };
  const window = load(["0-ids.js", "ranking/favourites.js"], { ranking, ...parts });
  return { ranking, done, window };
}

test("a favourite is kept by its key, found by the next visit, and let go by a second press", async () => {
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

test("favourites stand first, and both they and the others keep their order", async () => {
  const { ranking } = page({ localStorage: { getItem: () => '["d","b"]' } });
  const nodes = ["a", "b", "c", "d"].map((key) => ({ data: row(key) }));

  ranking.favouritesFirst({ nodes });

  assert.deepEqual(
    nodes.map((node) => node.data.key),
    ["b", "d", "a", "c"],
  );
});

test("what is stored and is no list of keys counts as nothing", () => {
  for (const stored of ["{", "7", '{"a":1}', "null"]) {
    assert.equal(page({ localStorage: { getItem: () => stored } }).ranking.hasFavourites(), false, stored);
  }
  const some = page({ localStorage: { getItem: () => '["a",7,null]' } }).ranking;
  assert.deepEqual([some.isFavourite(row("a")), some.isFavourite(row(7))], [true, false]);
});

test("where storage is forbidden a favourite lasts until the tab closes", async () => {
  const refuse = () => {
    throw new Error("denied");
  };
  const { ranking } = page({ localStorage: { getItem: refuse, setItem: refuse } });

  await ranking.toggleFavourite(row("a"));

  assert.equal(ranking.isFavourite(row("a")), true);
});

test("another tab's favourites are taken over, where the table is there to show them", async () => {
  const shelf = { text: "[]", getItem: () => shelf.text };
  const { ranking, done, window } = page({ localStorage: shelf, only: "favourites" });
  assert.equal(ranking.hasFavourites(), false);
  shelf.text = '["a"]';

  window.send("storage", { key: "favourites" });
  assert.equal(ranking.hasFavourites(), false, "on another page nothing is to be shown");
  window.document.elements["ranking-table"] = {};
  window.send("storage", { key: "theme" });
  window.send("storage", { key: "favourites" });
  await null;

  assert.equal(ranking.isFavourite(row("a")), true);
  assert.deepEqual(done, [undefined, "filtered"]);
});
