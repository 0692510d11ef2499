import assert from "node:assert/strict";
import { test } from "node:test";

import { metric } from "./metrics.mjs";
import { load } from "./page.mjs";

const ranking = load(["ranking/stablecoins.js", "ranking/turnover.js"]).trackerRanking;
const turnovers = (metrics) => metrics.map(ranking.turnovers(metrics));

test("turnovers are in dollars, by the prices of the pairs themselves", () => {
  const metrics = [
    metric(1, "BTC/USD", { price: 60_000, volume_24h: 2 }),
    metric(2, "ETH/BTC", { price: 0.05, volume_24h: 100 }), // BTC is worth 60,000
    metric(3, "SOL/USDT", { price: 150, volume_24h: 10 }), // a dollar coin is a dollar
    metric(4, "EUR/USD", { price: 1.25, volume_24h: 8 }),
    metric(5, "SOL/EUR", { price: 120, volume_24h: 4 }),
    metric(6, "USD/JPY", { price: 160, volume_24h: 1000 }), // and one JPY the 160th part of one
  ];

  assert.deepEqual(turnovers(metrics), [120_000, 300_000, 1500, 10, 600, 1000]);
});

test("unknown values give no turnover, and inactive pairs no exchange rate", () => {
  const metrics = [
    metric(1, "BTC/USD", { price: null, volume_24h: 2 }),
    metric(2, "ETH/BTC", { price: 0.05, volume_24h: 100 }),
    metric(3, "SOL/USD", { price: 150, volume_24h: null }),
    metric(4, "EUR/USD", { price: 1.25, active: false }),
    metric(5, "SOL/EUR", { price: 120, volume_24h: 4 }),
  ];

  assert.deepEqual(turnovers(metrics), [null, null, null, 1.25, null]);
});

test("the first of several prices of one currency counts", () => {
  const prices = [
    metric(1, "BTC/USD", { price: 60_000 }),
    metric(2, "BTC/USDT", { price: 50_000 }),
    metric(3, "ETH/BTC", { price: 0.5 }),
  ];

  assert.deepEqual(turnovers(prices), [60_000, 50_000, 30_000]);
});

test("the most common quote is the unit if nothing is priced in dollars", () => {
  const metrics = [
    metric(1, "BTC/EUR", { price: 50_000, volume_24h: 2 }),
    metric(2, "ETH/EUR", { price: 2500, volume_24h: 10 }),
    metric(3, "ETH/BTC", { price: 0.05, volume_24h: 4 }),
  ];

  assert.deepEqual(turnovers(metrics), [100_000, 25_000, 10_000]);
  assert.deepEqual(turnovers([]), []);
});

test("a stablecoin, or a currency priced in one, is a stable pair; any other pair priced in one is not", () => {
  const stable = ["USDT/USD", "USDC/USDT", "EUR/USDT", "EURC/EUR"];
  const other = ["BTC/USDT", "EUR/USD", "BTC/USD", "USD/BTC"];
  const isStable = (pair) => ranking.isStable(...pair.split("/"));

  assert.deepEqual([...stable, ...other].filter(isStable), stable);
  assert.deepEqual(["USD", "USDT", "EUR", "EURC", "BTC"].filter(ranking.isDollar), ["USD", "USDT"]);
});
