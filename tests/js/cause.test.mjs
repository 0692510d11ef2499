import assert from "node:assert/strict";
import { test } from "node:test";

import { callbacks, isNothing, load } from "./page.mjs";

const { cause } = callbacks(load(["ranking/cause.js"]));

test("an empty ranking names the exchanges that give no prices, and what else is known", () => {
  const exchanges = [
    { market: "kraken", failing_since: "2026-03-01T14:03:00Z", error: "HTTP 502" },
    { market: "okx", failing_since: null },
    { market: "binance", failing_since: "2026-03-01T14:03:00Z", error: null },
  ];

  assert.deepEqual(cause({ connection: "ok", exchanges, warnings: ["kraken has no FOO/USD"] }).split("\n"), [
    "kraken gives no prices: HTTP 502",
    "binance gives no prices: no reason given",
    "kraken has no FOO/USD",
  ]);
  assert.equal(cause({ connection: "ok" }), "");
  assert.ok(isNothing(cause({ connection: "lost", exchanges })));
  assert.ok(isNothing(cause(null)));
});
