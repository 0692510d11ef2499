import assert from "node:assert/strict";
import { test } from "node:test";

import { metric, table } from "./metrics.mjs";
import { callbacks, isNothing, load, server } from "./page.mjs";

const SCRIPTS = [
  "0-ids.js",
  "1-notation.js",
  "live.js",
  "ranking/address.js",
  "ranking/grid-functions.js",
  "ranking/row.js",
  "ranking/rows.js",
  "ranking/stablecoins.js",
  "ranking/freshness.js",
  "ranking/turnover.js",
];
const OK = { connection: "ok", revision: 1, tracked: 6 };
const METRICS = [
  metric(1, "BTC/USD", { price: 60_000, volatility: 0.01, change_24h: -0.02, volume_24h: 100, rank_1h_ago: 3 }),
  metric(2, "ETH/USD", { price: 3000, volatility: 0.02, change_24h: 0.01, volume_24h: 900 }),
  metric(3, "ETH/BTC", {
    price: 0.05,
    volatility: 0.011,
    change_24h: 0.03,
    volume_24h: 4000,
    new_at: "2026-03-01T00:00:00Z",
  }),
  metric(4, "SOL/USDT", { price: 150, volatility: 0.04, change_24h: 0.08, volume_24h: 10_000 }),
  metric(5, "USDT/USD", { price: 1, volatility: 0.0002, change_24h: 0, volume_24h: 9e6 }),
  metric(6, "DEAD/USD", {
    rank: null,
    price: 2,
    volatility: null,
    change_24h: null,
    active: false,
    reason: "delisted",
  }),
];

// Stubs of the other parts of the ranking; the rows that are set are in `given`.
function page({
  by = "stdev",
  isDefaultView = false,
  answers = [{ body: table(METRICS) }],
  fetch = server(...answers),
  given = [],
} = {}) {
  const calls = [];
  const ticks = [];
  const ranking = {
    view: () => ({ by }),
    restoreView: () => calls.push("restoreView"),
    setUpGrid: () => calls.push("setUpGrid"),
    isDefaultView: () => isDefaultView,
    hasFavourites: () => false,
    setFilterOptions: () => calls.push("setFilterOptions"),
    setLongestNames: () => false,
    followTick: (minute, isChanged) => void ticks.push([minute, isChanged]),
    gridApi: async () => ({}),
    setRows: async (count, row) => void given.push(Array.from({ length: count }, (_, place) => row(place))),
  };
  const clock = { now: 0, ring: () => {} };
  const setTimeout = (ring) => void (clock.ring = ring);
  const performance = { now: () => clock.now };
  const window = load(SCRIPTS, { ranking, fetch, performance, setTimeout, clearTimeout: () => {} });
  window.document.elements.ranking = {};
  window.document.elements["ranking-frame"] = {};
  const looks = () => ["ranking-frame", "ranking-empty"].map((id) => window.dash_clientside.props[id]?.className);
  const tables = () => fetch.asked.filter(({ address }) => address === "/table").length;
  return { window, looks, calls, given, clock, tables, ticks, asked: fetch.asked, rows: callbacks(window).updateRows };
}

// A server that always has the table.
function tableServer() {
  const asked = [];
  const fetch = async (address) => {
    asked.push({ address });
    return new Response(JSON.stringify(table(METRICS)));
  };
  return Object.assign(fetch, { asked });
}

// A server that answers on demand, by the number of the request.
function slowServer() {
  const waiting = [];
  const fetch = () => new Promise((answer) => waiting.push((body) => answer(new Response(JSON.stringify(body)))));
  return { fetch, given: [], release: (number, body) => waiting[number](body) };
}

test("a row has the metric's values by the columns' names, shares in per cent", async () => {
  const { given, looks, rows } = page();

  await rows(OK);

  assert.deepEqual(looks(), ["grid-frame", "empty-state is-hidden"]);
  const [[first, , third, , , last]] = given;
  const { id, key, rank, moved, pair, price, volatility, change_24h, volume, turnover, mark } = first;
  assert.deepEqual([id, key, rank, moved, pair], ["1", "kraken:BTC-USD", 1, 2, "BTC/USD"]);
  assert.deepEqual([price, volatility, change_24h, volume, turnover], [60_000, 1, -2, 100, 6e6]);
  assert.deepEqual([Boolean(mark), third.mark, last.mark], [false, "new", "delisted"]);
  assert.deepEqual([last.rank, last.moved, last.change_24h], [null, null, null]);
});

test("ranks follow the chosen measure, and an unknown value or an inactive metric has none", async () => {
  const placesBy = async (by) => {
    const { given, rows } = page({ by });
    await rows(OK);
    return given[0].map((row) => row.rank);
  };

  assert.deepEqual(await placesBy("stdev"), [1, 2, 3, 4, 5, null]);
  assert.deepEqual(await placesBy("volatility"), [4, 2, 3, 1, 5, null]);
  assert.deepEqual(await placesBy("change_24h"), [5, 3, 2, 1, 4, null]);
  assert.deepEqual(await placesBy("volume"), [3, 4, 1, 5, 2, null]); // in dollars
});

test("places gained are shown in the default order alone, and equal values are ordered by id", async () => {
  const equals = METRICS.map((one) => ({ ...one, volatility: 0.5 })).reverse();
  const { given, rows } = page({ by: "volatility", answers: [{ body: table(equals) }] });

  await rows(OK);

  assert.deepEqual(
    given[0].map((row) => row.moved),
    [null, null, null, null, null, null],
  );
  assert.deepEqual(
    given[0].map((row) => row.rank),
    [null, 5, 4, 3, 2, 1],
  );
});

test("rows are requested once per revision, and not while the server is away", async () => {
  const { asked, calls, given, rows } = page();

  for (const value of await rows({ ...OK, connection: "lost" })) assert.ok(isNothing(value));
  assert.deepEqual(asked, []);
  await rows(OK);
  for (const value of await rows(OK)) assert.ok(isNothing(value));

  assert.deepEqual(
    asked.map(({ address }) => address),
    ["/table"],
  );
  assert.equal(given.length, 1);
  assert.deepEqual(calls, ["restoreView", "setUpGrid", "setFilterOptions"]);
});

test("a failed request is repeated with the poller's next state", async () => {
  const answers = [{ status: 503 }, new Error("gone"), { body: table(METRICS) }];
  const { asked, given, rows } = page({ answers });

  for (const value of [...(await rows(OK)), ...(await rows(OK))]) assert.ok(isNothing(value));
  await rows(OK);

  assert.equal(given.length, 1);
  assert.deepEqual(
    asked.map(({ address }) => address),
    ["/table", "/table", "/table"],
  );
});

const FILLING = { ...OK, minute: "2026-03-01T12:00:00Z", period: 60, alerts: [], ["unattended"]: 0 };
const backfill = (market, done) => ({ market, done, failed: 0, total: 100 });

test("rows are requested once a period while only history is filled in, and at once when it ends", async () => {
  const { clock, tables, rows } = page({ fetch: tableServer() });
  const both = (done) => [backfill("kraken", done), backfill("okx", done)];

  await rows({ ...FILLING, revision: 1, backfills: both(1) });
  for (let revision = 2; revision < 20; revision++) {
    clock.now += 1500;
    await rows({ ...FILLING, revision, backfills: both(revision) });
  }
  assert.equal(tables(), 1, "revisions of 27 s in which only history changed");

  clock.now += 60_000 - 27_000;
  await clock.ring();
  assert.equal(tables(), 2, "a period is over");
  await rows({ ...FILLING, revision: 20, backfills: both(20) });
  assert.equal(tables(), 2);
  await rows({ ...FILLING, revision: 21, backfills: [backfill("okx", 21)] });
  assert.equal(tables(), 3, "kraken's is complete");
  await rows({ ...FILLING, revision: 22, backfills: [] });
  assert.equal(tables(), 4, "all are");
});

test("the sparklines follow each tick, and learn whether more than it was added to history", async () => {
  const { ticks, rows } = page({ fetch: tableServer() });
  const at = (minutes) => `2026-03-01T12:0${minutes}:00Z`;

  await rows({ ...FILLING, revision: 5, minute: at(0), backfills: [] });
  await rows({ ...FILLING, revision: 6, minute: at(1), backfills: [] });
  await rows({ ...FILLING, revision: 7, minute: at(1), backfills: [] });
  await rows({ ...FILLING, revision: 9, minute: at(2), backfills: [] });

  assert.deepEqual(ticks, [
    [at(0), false],
    [at(1), false],
    [at(1), true],
    [at(2), true],
  ]);
});

test("ticks and alerts are shown at once while history is filled in", async () => {
  const { clock, tables, rows } = page({ fetch: tableServer() });
  const filling = { ...FILLING, backfills: [backfill("kraken", 1)] };

  await rows({ ...filling, revision: 1 });
  clock.now += 1000;
  await rows({ ...filling, revision: 2, minute: "2026-03-01T12:01:00Z" });
  assert.equal(tables(), 2, "a tick");
  await rows({ ...filling, revision: 3, minute: "2026-03-01T12:01:00Z", alerts: [{ id: 7 }], ["unattended"]: 1 });
  assert.equal(tables(), 3, "an alert");
  await rows({ ...filling, revision: 4, minute: "2026-03-01T12:01:00Z", alerts: [{ id: 7 }], ["unattended"]: 1 });
  assert.equal(tables(), 3);
});

test("a page that was left is not renewed at the end of a period", async () => {
  const { clock, tables, rows, window } = page({
    answers: Array.from({ length: 3 }, () => ({ body: table(METRICS) })),
  });
  const filling = { ...FILLING, backfills: [backfill("kraken", 1)] };
  await rows({ ...filling, revision: 1 });
  await rows({ ...filling, revision: 2 });

  delete window.document.elements.ranking;
  await clock.ring();

  assert.equal(tables(), 1);
});

test("late rows do not replace newer ones", async () => {
  const { fetch, given, release } = slowServer();
  const { clock, rows } = page({ fetch, given });

  const slow = rows(OK);
  clock.now = 1000;
  const quick = rows({ ...OK, revision: 2 });
  release(1, table(METRICS.slice(0, 2)));
  await quick;
  release(0, table(METRICS));
  await slow;

  assert.deepEqual(
    given.map((rows) => rows.length),
    [2],
  );
});

test("an empty ranking shows the notice in place of the table", async () => {
  const { looks, rows } = page({ answers: [{ body: { columns: { id: [] } } }] });

  await rows(OK);

  assert.deepEqual(looks(), ["grid-frame is-hidden", "empty-state"]);
});

test("the first of thousands of metrics are shown before the others", async () => {
  const first = METRICS.slice(0, 2);
  const answers = [{ body: { metrics: first } }, { body: table(METRICS) }];
  const { asked, given, looks, rows } = page({ isDefaultView: true, answers });

  await rows({ ...OK, tracked: 5000 });

  assert.deepEqual(
    asked.map(({ address }) => address),
    ["/metrics?limit=100", "/table"],
  );
  assert.deepEqual(
    given.map((rows) => rows.length),
    [2, 6],
  );
  assert.deepEqual(looks(), ["grid-frame", "empty-state is-hidden"]);
});

test("unknown values come last in both directions of a sort", () => {
  const { nullsLast } = page().window.dashAgGridFunctions;
  const sorted = (values, isDescending) => {
    const way = isDescending ? -1 : 1; // the grid turns the result around itself
    return values.toSorted((left, right) => way * nullsLast(left, right, null, null, isDescending));
  };

  assert.deepEqual(sorted([2, null, 1, undefined, 3], false).slice(0, 3), [1, 2, 3]);
  assert.deepEqual(sorted([2, null, 1, 3], true), [3, 2, 1, null]);
  assert.deepEqual(sorted(["b", null, "a"], false), ["a", "b", null]);
  assert.equal(nullsLast(null, undefined, null, null, true), 0);
});

test("a row opens by a click or Enter, but not with a modifier or on the star", () => {
  const { window } = page();
  const { openRow, pressKey } = window.dashAgGridFunctions;
  const opened = () => window.dash_clientside.props.location?.pathname;
  const elsewhere = { closest: () => null };
  window.scrollTo = () => {};

  openRow({ data: { id: "1" }, event: { ctrlKey: true, target: elsewhere } });
  openRow({ data: { id: "1" }, event: { target: { closest: (selector) => selector === ".star" } } });
  pressKey({ data: { id: "1" }, event: { key: "x" } });
  assert.equal(opened(), undefined);

  openRow({ data: { id: "7" }, event: { target: elsewhere } });
  assert.equal(opened(), "/metric/7");
  pressKey({ data: { id: "8" }, event: { key: "Enter", preventDefault() {} }, column: { getColId: () => "price" } });
  assert.equal(opened(), "/metric/8");
});
