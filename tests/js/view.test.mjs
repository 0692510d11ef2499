import assert from "node:assert/strict";
import { test } from "node:test";

import { callbacks, load } from "./page.mjs";

// The ranking with its table; what the table was told is in `told`.
function page(search = "") {
  const told = [];
  const column = (id, filter) => ({ getColId: () => id, getColDef: () => ({ filter }) });
  const grid = {
    getColumns: () => [
      column("rank", "agNumberColumnFilter"),
      column("price", "agNumberColumnFilter"),
      column("pair", "agTextColumnFilter"),
    ],
    setGridOption: (name, value) => told.push([name, value]),
    setFilterModel: (model) => told.push(["filters", model]),
    applyColumnState: ({ state }) => told.push(["sort", state.map((one) => `${one.colId} ${one.sort}`)]),
    onFilterChanged: () => told.push(["filtered"]),
  };
  const called = (name) => () => told.push([name]);
  const ranking = Object.fromEntries(
    ["fit", "rankAnew", "offerChoices", "showParts", "drawMap", "recountAlerts"].map((name) => [name, called(name)]),
  );
  ranking.showStale = () => {};
  const location = { pathname: "/", search, hash: "", href: "/" + search };
  const history = { state: null, replaceState: (_state, _title, address) => (location.search = address.slice(1)) };
  const window = load(["0-ids.js", "ranking/address.js", "ranking/view.js"], { ranking, location, history });
  window.dash_ag_grid = { getApiAsync: async () => grid };
  window.document.elements["ranking-table"] = {};
  ranking.begin();
  return { window, ranking, location, told };
}

const choose = (window, id, value) => {
  window.dash_clientside.callback_context = {
    inputs_list: [{ id: "rank-by" }, { id }],
    triggered: [{ prop_id: `${id}.value` }],
  };
  return callbacks(window).choose("volume", value);
};

test("what is chosen stands in the address and is shown, and what did not move says nothing", async () => {
  const { window, ranking, location, told } = page("?by=volatility");

  choose(window, "ranking-search", "btc");
  await null;

  assert.equal(location.search, "?by=volatility&q=btc");
  assert.equal(ranking.view().by, "volatility", "its control had not been told yet");
  assert.deepEqual(told, [["quickFilterText", "btc"]]);
  choose(window, "ranking-search", "btc");
  await null;
  assert.equal(told.length, 1, "what is shown already is not shown again");
});

test("all of something is a choice of its own in a list, and none in the address", async () => {
  const { window, ranking, location } = page("?market=okx");

  choose(window, "filter-market", "filter-all");

  assert.deepEqual([ranking.view().market, location.search], ["", ""]);
});

test("what is ranked by anew is sorted by rank", async () => {
  const { ranking, location, told } = page("?sort=price.desc");

  ranking.change({ by: "volume" });
  await null;

  assert.equal(location.search, "?by=volume");
  assert.deepEqual(told, [["sort", ["rank asc"]], ["rankAnew"], ["fit"]]);
});

test("an address may name columns and filters that there are not: they are passed over", async () => {
  const { ranking, told } = page();
  const above = { filterType: "number", type: "greaterThan", filter: 1 };
  const like = { filterType: "text", type: "contains", filter: "1" };

  ranking.change({
    where: { price: above, nothing: above, pair: like, rank: like },
    sort: [{ colId: "constructor", sort: "asc" }],
  });
  await null;

  assert.deepEqual(told, [
    ["filters", { price: above, pair: like }],
    ["sort", ["rank asc"]],
  ]);
});

test("a reset takes filters and columns away and leaves how things are ranked and shown", async () => {
  const { window, ranking, location } = page("?by=volume&view=both&q=x&hide=stablecoins&columns=price&sort=price.desc");

  callbacks(window).reset(1);

  assert.equal(location.search, "?by=volume&view=both&sort=price.desc");
  assert.equal(window.dash_clientside.props["ranking-search"].value, "");
  assert.deepEqual(window.dash_clientside.props["filter-reset"], { className: "text-button is-hidden" });
  assert.equal(ranking.isUsual(), false);
});

test("filters are counted, columns are not, and either can be taken back", () => {
  const { window, ranking } = page();
  const { props } = window.dash_clientside;

  ranking.note({ q: "x", where: { price: {}, pair: {} } });
  assert.deepEqual([props["filter-count"].children, props["filter-reset"].className], ["3", "text-button"]);
  ranking.note({ q: "", where: {}, columns: ["price"] });
  assert.deepEqual([props["filter-count"].children, props["filter-reset"].className], ["", "text-button"]);
});

test("a link back to the ranking finds it as it was left, an address and the browser's history as they say", () => {
  const { window, ranking, location } = page("?q=x");

  window.send("_dashprivate_pushstate");
  location.search = "";
  ranking.begin();
  assert.equal(location.search, "?q=x");

  location.search = "";
  window.send("popstate");
  assert.equal(ranking.view().q, "");
});
