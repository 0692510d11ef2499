import assert from "node:assert/strict";
import { test } from "node:test";

import { callbacks, load } from "./page.mjs";

// The ranking with its table; calls of the table and of other parts are in `calls`.
function page(search = "") {
  const calls = [];
  const column = (id, filter) => ({ getColId: () => id, getColDef: () => ({ filter }) });
  const grid = {
    getColumns: () => [
      column("rank", "agNumberColumnFilter"),
      column("price", "agNumberColumnFilter"),
      column("pair", "agTextColumnFilter"),
    ],
    setGridOption: (name, value) => calls.push([name, value]),
    setFilterModel: (model) => calls.push(["filters", model]),
    applyColumnState: ({ state }) => calls.push(["sort", state.map((one) => `${one.colId} ${one.sort}`)]),
    onFilterChanged: () => calls.push(["filtered"]),
  };
  const called = (name) => () => calls.push([name]);
  const ranking = Object.fromEntries(
    ["fitColumns", "rerank", "setFilterOptions", "showView", "drawMap", "recountAlerts"].map((name) => [
      name,
      called(name),
    ]),
  );
  ranking.showStale = () => {};
  const location = { pathname: "/", search, hash: "", href: "/" + search };
  const history = { state: null, replaceState: (_state, _title, address) => (location.search = address.slice(1)) };
  const window = load(["0-ids.js", "ranking/address.js", "ranking/view.js"], { ranking, location, history });
  window.dash_ag_grid = { getApiAsync: async () => grid };
  window.document.elements["ranking-table"] = {};
  ranking.restoreView();
  return { window, ranking, location, calls };
}

const choose = (window, id, value) => {
  window.dash_clientside.callback_context = {
    inputs_list: [{ id: "rank-by" }, { id }],
    triggered: [{ prop_id: `${id}.value` }],
  };
  return callbacks(window).choose("volume", value);
};

test("a choice is written to the address and shown, and unchanged controls are ignored", async () => {
  const { window, ranking, location, calls } = page("?by=volatility");

  choose(window, "ranking-search", "btc");
  await null;

  assert.equal(location.search, "?by=volatility&q=btc");
  assert.equal(ranking.view().by, "volatility", "its control does not know yet");
  assert.deepEqual(calls, [["quickFilterText", "btc"]]);
  choose(window, "ranking-search", "btc");
  await null;
  assert.equal(calls.length, 1, "what is shown already is not shown again");
});

test('"all" is a choice of its own in a list, and nothing in the address', async () => {
  const { window, ranking, location } = page("?market=okx");

  choose(window, "filter-market", "filter-all");

  assert.deepEqual([ranking.view().market, location.search], ["", ""]);
});

test("ranking by another measure sorts by rank", async () => {
  const { ranking, location, calls } = page("?sort=price.desc");

  ranking.changeView({ by: "volume" });
  await null;

  assert.equal(location.search, "?by=volume");
  assert.deepEqual(calls, [["sort", ["rank asc"]], ["rerank"], ["fitColumns"]]);
});

test("unknown columns and filters in an address are ignored", async () => {
  const { ranking, calls } = page();
  const above = { filterType: "number", type: "greaterThan", filter: 1 };
  const like = { filterType: "text", type: "contains", filter: "1" };

  ranking.changeView({
    where: { price: above, nothing: above, pair: like, rank: like },
    sort: [{ colId: "constructor", sort: "asc" }],
  });
  await null;

  assert.deepEqual(calls, [
    ["filters", { price: above, pair: like }],
    ["sort", ["rank asc"]],
  ]);
});

test("a reset removes filters and columns, and keeps the ranking's measure and the view", async () => {
  const { window, ranking, location } = page("?by=volume&view=both&q=x&hide=stablecoins&columns=price&sort=price.desc");

  callbacks(window).reset(1);

  assert.equal(location.search, "?by=volume&view=both&sort=price.desc");
  assert.equal(window.dash_clientside.props["ranking-search"].value, "");
  assert.deepEqual(window.dash_clientside.props["filter-reset"], { className: "text-button is-hidden" });
  assert.equal(ranking.isDefaultView(), false);
});

test("filters are counted, columns are not, and both can be reset", () => {
  const { window, ranking } = page();
  const { props } = window.dash_clientside;

  ranking.recordView({ q: "x", where: { price: {}, pair: {} } });
  assert.deepEqual([props["filter-count"].children, props["filter-reset"].className], ["3", "text-button"]);
  ranking.recordView({ q: "", where: {}, columns: ["price"] });
  assert.deepEqual([props["filter-count"].children, props["filter-reset"].className], ["", "text-button"]);
});

test("a link back restores the view as it was left, an address and the browser's history restore theirs", () => {
  const { window, ranking, location } = page("?q=x");

  window.send("_dashprivate_pushstate");
  location.search = "";
  ranking.restoreView();
  assert.equal(location.search, "?q=x");

  location.search = "";
  window.send("popstate");
  assert.equal(ranking.view().q, "");
});
