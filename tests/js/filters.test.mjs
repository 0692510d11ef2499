import assert from "node:assert/strict";
import { test } from "node:test";

import { metric } from "./metrics.mjs";
import { load } from "./page.mjs";

const ALL = { market: "", quote: "", only: "", hide: "", age: "", window: "" };
const ROWS = [
  metric(1, "BTC/USD", { full: true }),
  metric(2, "ETH/BTC", { market: "okx", stale: true, full: true }),
  metric(3, "USDT/USD", { stale: true, full: false }),
  metric(4, "BTC/USDT"),
];

function page(view) {
  const options = {};
  const ranking = { view: () => ({ ...ALL, ...view }), isFavourite: (row) => row.id === 4 };
  const window = load(["0-ids.js", "1-notation.js", "ranking/filters.js", "ranking/stablecoins.js"], { ranking });
  ranking.setUpFilters({ setGridOption: (name, value) => (options[name] = value) });
  const passing = () => ROWS.filter((data) => options.doesExternalFilterPass({ data })).map((row) => row.id);
  return { window, ranking, isOn: options.isExternalFilterPresent, passing };
}

test("rows pass only if all quick filters let them", () => {
  const left = (view) => page(view).passing();

  assert.deepEqual(left({}), [1, 2, 3, 4]);
  assert.deepEqual(left({ market: "okx" }), [2]);
  assert.deepEqual(left({ quote: "USD" }), [1, 3]);
  assert.deepEqual(left({ hide: "stablecoins" }), [1, 2, 4]);
  assert.deepEqual(left({ only: "favourites" }), [4]);
  assert.deepEqual(left({ quote: "USD", hide: "stablecoins" }), [1]);
  assert.deepEqual(left({ age: "stale" }), [2, 3]);
  assert.deepEqual(left({ window: "full" }), [1, 2]);
  assert.deepEqual(left({ age: "stale", window: "full" }), [2]);
  assert.deepEqual(left({ market: "okx", only: "favourites" }), []);
});

test("the grid does not ask when there is no filter", () => {
  assert.equal(page({}).isOn(), false);
  for (const name of Object.keys(ALL)) assert.equal(page({ [name]: "x" }).isOn(), true, name);
});

test("the lists offer the markets and quotes of the metrics in order, and those of the address", () => {
  const { window, ranking } = page({ quote: "XYZ" });
  const offered = () => ["market", "quote"].map((name) => window.dash_clientside.props[`filter-${name}`].options);

  ranking.setFilterOptions(ROWS);

  const [markets, quotes] = offered();
  assert.deepEqual(
    markets.map((one) => one.label),
    ["All markets", "kraken", "okx"],
  );
  assert.deepEqual(
    quotes.map((one) => one.value),
    ["filter-all", "BTC", "USD", "USDT", "XYZ"],
  );
  ranking.setFilterOptions(ROWS);
  assert.equal(offered()[0], markets, "what is offered already is not offered again");
});

test("a search finds a pair with and without its slash, and its market", () => {
  const { quickText } = page({}).window.dashAgGridFunctions;

  assert.equal(quickText({ data: { ...ROWS[0], pair: "BTC/USD" } }), "BTC/USD BTCUSD kraken");
});

test("matching rows are counted, and a notice is shown if there are none", () => {
  const { window, ranking } = page({ only: "favourites" });
  const count = { textContent: "" };
  Object.assign(window.document.elements, { "ranking-count": count, "ranking-no-match": { className: "" } });
  const grid = (all, left) => ({
    forEachNode: (each) => ROWS.slice(0, all).forEach(each),
    getDisplayedRowCount: () => left,
  });
  const look = () => window.dash_clientside.props["ranking-no-match"].className;

  ranking.countRows(grid(4, 1));
  assert.deepEqual([count.textContent, look()], ["1 of 4", "no-match is-hidden is-favourites"]);
  ranking.countRows(grid(4, 0));
  assert.deepEqual([count.textContent, look()], ["0 of 4", "no-match is-favourites"]);
  ranking.countRows(grid(4, 4));
  assert.equal(count.textContent, "");
});
