import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./page.mjs";

const MINUTE = "2026-03-01T12:00:00Z";
const later = (minutes) => new Date(Date.parse(MINUTE) + minutes * 60_000).toISOString();
const row = (id, price, others = {}) => ({ id, price, active: true, ...others });

// Visible rows, and a server with their lines: from 100 up to 200 in a day, or `points`.
function page({ rows = [row("1", 200), row("2", 200)], points = () => rising(), minute = () => MINUTE } = {}) {
  const asked = [];
  const drawn = [];
  const state = { rows, isVisible: true, fails: 0 };
  const grid = {
    isDestroyed: () => false,
    getColumn: () => ({ isVisible: () => state.isVisible }),
    getRenderedNodes: () => state.rows.map((data) => ({ data })),
    refreshCells: ({ rowNodes }) => drawn.push(rowNodes.map((node) => node.data.id)),
  };
  const fetch = async (address) => {
    asked.push(address);
    if (state.fails-- > 0) throw new Error("gone");
    const ids = address.split("=")[1].split(",");
    const byId = (of) => Object.fromEntries(ids.map((id) => [id, of(id)]));
    const body = { minute: minute(), points: byId(points), low: byId(() => 100), high: byId(() => 200) };
    return new Response(JSON.stringify(body));
  };
  const ranking = { gridApi: async () => grid };
  load(["ranking/sparklines.js"], { ranking, fetch });
  return { asked, drawn, state, ranking };
}

const rising = () => Array.from({ length: 24 }, (_, hour) => Math.floor((hour * 100) / 23));
const ends = (ranking, data) => ranking.sparkline(data).at(-1);

test("a line ends at the row's price at every tick without a request", async () => {
  const { asked, ranking } = page();
  await ranking.followTick(MINUTE, false);
  assert.deepEqual(ends(ranking, row("1", 200)), [1, 200]);

  for (let minutes = 1; minutes < 60; minutes++) {
    await ranking.followTick(later(minutes), false);
    assert.deepEqual(ends(ranking, row("1", 900 - minutes)), [1, 900 - minutes]);
  }

  assert.deepEqual(asked, ["/sparklines?metrics=1,2"]);
});

test("the points are prices, and move to the left with time", async () => {
  const { ranking } = page();
  await ranking.followTick(MINUTE, false);
  const before = ranking.sparkline(row("1", 200));
  assert.deepEqual([before.length, before[0], before[22]], [24, [0, 100], [22 / 23, 195]]);

  await ranking.followTick(later(30), false);

  const after = ranking.sparkline(row("1", 300));
  assert.equal(after.length, 24, "the first has left the day, the present price has come");
  assert.ok(Math.abs(after[0][0] - 0.5 / 23) < 1e-9);
  assert.deepEqual([after[22][1], after[23]], [200, [1, 300]]);
});

test("lines are requested again when an hour is over, and at once when history has changed", async () => {
  const { asked, drawn, ranking } = page();
  await ranking.followTick(MINUTE, false);
  await ranking.followTick(later(59), false);
  assert.equal(asked.length, 1);

  await ranking.followTick(later(60), false);
  assert.equal(asked.length, 2);
  await ranking.followTick(later(60), true);
  assert.equal(asked.length, 3);
  assert.deepEqual(drawn, Array(3).fill(["1", "2"]));
});

test("a part of the day is replaced by the whole when history has been filled in", async () => {
  let known = 4;
  const points = () => [...Array(24 - known).fill(255), ...rising().slice(-known)];
  const { ranking } = page({ points });
  await ranking.followTick(MINUTE, false);
  const unknown = () => ranking.sparkline(row("1", 200)).filter(([, price]) => price === null).length;
  assert.equal(unknown(), 20);

  known = 24;
  await ranking.followTick(MINUTE, true);

  assert.equal(unknown(), 0);
});

test("only lines of visible rows are requested, a hundred at a time", async () => {
  const { asked, state, ranking } = page({ rows: Array.from({ length: 130 }, (_, at) => row(at + 1 + "", 1)) });
  await ranking.followTick(MINUTE, false);
  const counts = () => asked.map((address) => address.split(",").length);
  assert.deepEqual(counts(), [100, 30]);

  state.rows = [row("7", 1), row("5001", 1)];
  await ranking.fetchSparklines();
  assert.equal(asked.at(-1), "/sparklines?metrics=5001");
  assert.equal(ranking.sparkline(row("5002", 1)), null);
});

test("failed lines are requested with the next rows, and a hidden column requests none", async () => {
  const { asked, state, ranking } = page();
  state.fails = 1;
  await ranking.followTick(MINUTE, false);
  assert.equal(ranking.sparkline(row("1", 200)), null);
  await ranking.followTick(later(1), false);
  assert.deepEqual(ends(ranking, row("1", 200)), [1, 200]);

  state.isVisible = false;
  await ranking.followTick(later(1), true);
  assert.equal(asked.length, 2);
});

test("an inactive pair, or one with a stale price, keeps its line", async () => {
  const { ranking } = page();
  await ranking.followTick(MINUTE, false);
  await ranking.followTick(later(30), false);

  for (const why of [{ active: false }, { stale: true }]) {
    const [place, price] = ends(ranking, row("1", 50, why));
    assert.ok(place < 1);
    assert.equal(price, 200);
  }
});
