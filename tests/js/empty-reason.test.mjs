import assert from "node:assert/strict";
import { test } from "node:test";

import { callbacks, isNothing, load } from "./page.mjs";

const { emptyReason } = callbacks(load(["ranking/empty-reason.js"]));

test("an empty ranking names the exchanges that give no prices, and the warnings", () => {
  const exchanges = [
    { market: "kraken", failing_since: "2026-03-01T14:03:00Z", error: "HTTP 502" },
    { market: "okx", failing_since: null },
    { market: "binance", failing_since: "2026-03-01T14:03:00Z", error: null },
  ];

  assert.deepEqual(emptyReason({ connection: "ok", exchanges, warnings: ["kraken has no FOO/USD"] }).split("\n"), [
    "kraken gives no prices: HTTP 502",
    "binance gives no prices: no reason given",
    "kraken has no FOO/USD",
  ]);
  assert.equal(emptyReason({ connection: "ok" }), "");
  assert.ok(isNothing(emptyReason({ connection: "lost", exchanges })));
  assert.ok(isNothing(emptyReason(null)));
});
