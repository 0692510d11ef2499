import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./page.mjs";

const ranking = { sparkline: (row) => SHAPES[row.id] ?? null, isFavourite: (row) => row.pair === "BTC/USD" };
const hourly = (...prices) => prices.map((price, hour) => [hour / 23, price]);
const SHAPES = {
  rising: hourly(20, 70, 120, ...Array(21).fill(120)),
  gap: hourly(100, 50, null, 0, ...Array(20).fill(null)),
  lone: hourly(10, ...Array(23).fill(null)),
};
const window = load(["1-notation.js", "ranking/cells.js"], { ranking });
window.React = { createElement: (type, props, ...children) => ({ type, ...props, children }) };
const cells = window.dashAgGridComponentFunctions;
const path = (id) => cells.Sparkline({ data: { id } }).children[0].d;

test("a sparkline of 24 points fills its cell from the lowest to the highest price", () => {
  const steps = path("rising").split(/(?=[ML])/);

  assert.deepEqual(steps.slice(0, 3), ["M0.0 25.0", "L4.9 13.0", "L9.7 1.0"]);
  assert.deepEqual([steps.length, steps[23]], [24, "L112.0 1.0"]);
  assert.equal(cells.Sparkline({ data: { id: "rising" } }).className, "spark is-up");
});

test("a missing price breaks the line, and a single price is no line", () => {
  assert.equal(path("gap"), "M0.0 1.0L4.9 13.0M14.6 25.0Z", "what stands alone is a dot");
  assert.equal(cells.Sparkline({ data: { id: "gap" } }).className, "spark is-down");
  assert.equal(cells.Sparkline({ data: { id: "lone" } }), null);
  assert.equal(cells.Sparkline({ data: { id: "unknown" } }), null);
});

test("places gained and lost are shown by arrow, number and text", () => {
  const shown = (value) => {
    const { className, title, children } = cells.Moved({ value });
    return [className, title, ...children];
  };

  assert.deepEqual(shown(1), ["moved is-up", "Up 1 place in an hour", "▲ 1"]);
  assert.deepEqual(shown(-1200), ["moved is-down", "Down 1,200 places in an hour", "▼ 1,200"]);
  assert.equal(cells.Moved({ value: 0 }), null);
  assert.equal(cells.Moved({ value: null }), null);
});

test("a star names its pair and says whether it is a favourite", () => {
  const starOf = (pair) => {
    const star = cells.Star({ data: { pair } });
    return [star["aria-label"], star["aria-pressed"]];
  };

  assert.deepEqual(starOf("BTC/USD"), ["Remove from favourites: BTC/USD", true]);
  assert.deepEqual(starOf("ETH/USD"), ["Add to favourites: ETH/USD", false]);
});

test("a row shows the age of a stale price, else how much of its window is known", () => {
  const name = (data) =>
    cells.MetricName({
      data: { id: "1", pair: "BTC/USD", base: "BTC", quote: "USD", active: true, ...data },
      titles: {},
    });
  const note = (data) => name(data).children.find((child) => child?.className?.startsWith("row-note"));

  assert.equal(note({ age: "", partial: "" }), undefined);
  const text = (node) => (typeof node === "string" ? node : node.children.map(text).join(""));
  assert.equal(text(note({ age: "5 min", partial: "3 h of 24 h" })), "5 min old");
  assert.deepEqual(note({ age: "", partial: "3 h of 24 h" }).children, ["3 h of 24 h"]);
  assert.match(note({ age: "5 min" }).className, /is-warning/);
  assert.match(name({ age: "5 min" }).className, /has-note/);
});
