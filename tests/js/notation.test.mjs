import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mock, test } from "node:test";

import { load } from "./page.mjs";

const CASES = JSON.parse(readFileSync(new URL("../notation_cases.json", import.meta.url), "utf8"));
const { trackerNotation: notation } = load(["1-notation.js"]);
const percent = (fraction) => (fraction === null ? null : fraction * 100);

const WRITERS = {
  price: notation.priceText,
  change: (fraction) => notation.changeText(percent(fraction)),
  share: (fraction) => notation.shareText(percent(fraction)),
  amount: notation.amountText,
  duration: notation.durationText,
  window: ([coverage, hours]) => notation.windowText(coverage, hours),
};

// As layouts/notation.py has them; tests/layouts/test_notation.py keeps both alike.
const WIDEST = JSON.parse(readFileSync(new URL("../notation_widest.json", import.meta.url), "utf8"));

test("numbers are written as the server writes them", () => {
  assert.deepEqual(Object.keys(CASES), Object.keys(WRITERS));
  for (const [name, write] of Object.entries(WRITERS)) {
    for (const [value, text] of CASES[name]) assert.equal(write(value), text, `${name} of ${value}`);
  }
});

test("no number up to 1e99 is longer than the widest text of its column", () => {
  for (let power = -99; power < 99; power++) {
    for (const digits of [1, 1.2345678, 9.9949999, 9.9951, 9.9999999]) {
      const value = digits * 10 ** power;
      for (const [name, widest] of Object.entries(WIDEST)) {
        const text = notation[name](value);
        if (name === "wholeText" && value >= 999_999.5) continue; // it counts metrics
        assert.ok(text.length <= widest.length, `${name} of ${value}: ${text}`);
      }
    }
  }
});

test("a price is written as a multiple of its average", () => {
  const pairs = [
    [190_000, 60_000],
    [1, 3],
    [1e6, 3],
    [1e12, 1e-18],
  ];
  const texts = pairs.map(([value, average]) => notation.multipleText(value, average));
  assert.deepEqual(texts, ["3.2×", "0.3×", "333 K×", "1.00e30×"]);
});

test("counts are whole", () => {
  assert.deepEqual([0, 1234.4, -7, null, undefined].map(notation.wholeText), ["0", "1,234", "−7", "–", "–"]);
});

test("a time has its date unless it is today's, and its seconds if there are any", () => {
  mock.timers.enable({ apis: ["Date"], now: Date.parse("2026-03-01T23:30:00Z") });
  const { trackerNotation } = load(["1-notation.js"]);
  trackerNotation.chooseZone("utc");

  const moments = ["2026-03-01T14:03:00Z", "2026-03-01T14:03:05Z", "2026-02-28T23:59:00Z", null];
  assert.deepEqual(moments.map(trackerNotation.clockText), ["14:03", "14:03:05", "28 Feb, 23:59", "–"]);
  mock.timers.reset();
});

test("the chosen zone is remembered, until the tab closes if storage is forbidden", () => {
  const { localStorage, trackerNotation: first } = load(["1-notation.js"]);
  assert.equal(first.zoneChoice(), "local");
  assert.equal(first.zoneName(), Intl.DateTimeFormat().resolvedOptions().timeZone);
  first.chooseZone("utc");
  assert.equal(load(["1-notation.js"], { localStorage }).trackerNotation.zoneName(), "UTC");

  const refuse = () => {
    throw new Error("denied");
  };
  const { trackerNotation: second } = load(["1-notation.js"], { localStorage: { getItem: refuse, setItem: refuse } });
  second.chooseZone("utc");
  assert.equal(second.zoneName(), "UTC");
});
