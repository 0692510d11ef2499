import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { metric } from "./metrics.mjs";
import { callbacks, load } from "./page.mjs";

const NOON = "2026-03-01T12:00:00Z";
const LIVE = { connection: "ok", minute: NOON, stale: false };
const at = (minutes) => new Date(Date.parse(NOON) + minutes * 60_000).toISOString();

beforeEach(() => mock.timers.enable({ apis: ["Date"], now: Date.parse(at(60)) })); // a clock that is an hour ahead
afterEach(() => mock.timers.reset());

function page({ age = "" } = {}) {
  const looks = [];
  const calls = [];
  const ranking = {
    view: () => ({ age }),
    changeView: (change) => calls.push(change),
    rerank: () => calls.push("rerank"),
  };
  const window = load(["0-ids.js", "1-notation.js", "ranking/freshness.js"], {
    ranking,
    setInterval: (look) => looks.push(look),
  });
  window.document.elements.ranking = { dataset: { hours: "24", full: "0.990000" } };
  window.document.elements["ranking-table"] = {};
  window.trackerNotation.chooseZone("utc");
  const trust = (figures) =>
    ranking.freshness(metric(1, "BTC/USD", { stale: false, coverage: 1, updated_at: NOON, ...figures }));
  return { window, ranking, trust, calls, look: () => looks.forEach((one) => one()) };
}

test("a stale price shows its age at the last tick, by the server's clock alone", () => {
  const { ranking, trust } = page();
  ranking.setLive(LIVE);

  const { stale, age } = trust({ stale: true, updated_at: at(-5) });
  assert.deepEqual([stale, age], [true, "5 min"]);
  assert.deepEqual(Object.values(trust({ updated_at: at(-1) })), [false, 60, "", "", true]);
});

test("ages grow by this machine's clock while no tick comes, and rows are renewed", () => {
  const { ranking, trust, calls, look } = page();
  ranking.setLive(LIVE);
  look();
  assert.deepEqual(calls, []);
  ranking.setLive({ ...LIVE, stale: true });
  look();

  assert.deepEqual(calls, ["rerank"]);
  assert.equal(trust({ stale: true }).age, "60 min");
  mock.timers.setTime(Date.parse(at(90)));
  assert.equal(trust({ stale: true }).age, "90 min");
  mock.timers.setTime(Date.parse(at(-600)));
  assert.equal(trust({ stale: true, updated_at: at(-4) }).age, "4 min", "a clock that is behind makes nothing young");
});

test("an inactive metric, and one without a price, has no age", () => {
  const { ranking, trust } = page();
  ranking.setLive(LIVE);

  const idle = trust({ stale: true, active: false, updated_at: at(-500), coverage: 0.2 });
  assert.deepEqual([idle.stale, idle.age, idle.partial], [false, "", ""]);
  const none = trust({ stale: true, price: null, updated_at: null, coverage: 0 });
  assert.deepEqual([none.stale, none.age, none.partial, none.full], [true, "", "", false]);
});

test("a partial window shows how much of it is known", () => {
  const { trust } = page();

  assert.deepEqual([trust({ coverage: 0.125 }).partial, trust({ coverage: 0.125 }).full], ["3 h of 24 h", false]);
  assert.deepEqual([trust({ coverage: 0.9899 }).partial, trust({ coverage: 0.99 }).partial], ["23.7 h of 24 h", ""]);
  assert.equal(trust({ coverage: 0.99 }).full, true);
});

test("the count of stale metrics filters by them, and removes the filter again", () => {
  for (const [age, next] of [
    ["", "stale"],
    ["stale", ""],
  ]) {
    const { window, calls } = page({ age });
    callbacks(window).chooseStale(0);
    assert.deepEqual(calls, []);
    callbacks(window).chooseStale(1);
    assert.deepEqual(calls, [{ age: next }]);
  }
});

test("ages and times are shown in the table", () => {
  const { window } = page();
  const { nameValue, updatedText, updatedTitle, partialTitle } = window.dashAgGridFunctions;

  assert.deepEqual([0, 300, 12_000, null].map(updatedText), ["0 s ago", "5 min ago", "3 h ago", "–"]);
  assert.match(updatedTitle({ updated: at(-5) }), /^Price of (1 Mar, )?11:55$/);
  assert.deepEqual(
    [partialTitle({ partial: "3 h of 24 h" }), partialTitle({ partial: "" })],
    ["Rests on 3 h of 24 h", ""],
  );
  const name = { pair: "BTC/USD", mark: "new", age: "", partial: "3 h of 24 h" };
  assert.equal(nameValue(name), "BTC/USD new 3 h of 24 h");
  assert.notEqual(nameValue({ ...name, age: "5 min" }), nameValue({ ...name, age: "6 min" }));
});
