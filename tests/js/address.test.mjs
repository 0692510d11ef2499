import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./page.mjs";

const { address } = load(["ranking/address.js"]).trackerRanking;
const USUAL = {
  by: "stdev",
  only: "",
  hide: "",
  age: "",
  window: "",
  view: "table",
  size: "volume",
  colour: "change_24h",
  q: "",
  market: "",
  quote: "",
  sort: [{ colId: "rank", sort: "asc" }],
  columns: null,
  where: {},
};
const above = (filter) => ({ filterType: "number", type: "greaterThan", filter });
const where = (filters) => "?where=" + encodeURIComponent(JSON.stringify(filters));

test("an empty address is the default view, and the default view has an empty address", () => {
  assert.deepEqual(address.read(""), USUAL);
  assert.equal(address.write(USUAL), "");
});

test("an address survives reading and writing", () => {
  const view = {
    ...USUAL,
    by: "volatility",
    only: "favourites",
    hide: "stablecoins",
    age: "stale",
    window: "full",
    view: "both",
    size: "equal",
    colour: "change_1h",
    q: "b & c?",
    market: "kraken",
    quote: "USD",
    sort: [
      { colId: "price", sort: "desc" },
      { colId: "pair", sort: "asc" },
    ],
    columns: ["price", "high_24h"],
    where: {
      price: above(0.5),
      stdev: { filterType: "number", type: "inRange", filter: 1, filterTo: 2 },
      market: {
        filterType: "text",
        operator: "OR",
        conditions: [
          { filterType: "text", type: "blank" },
          { filterType: "text", type: "contains", filter: "x" },
        ],
      },
    },
  };

  const text = address.write(view);

  assert.match(text, /[?&]sort=price\.desc,pair\.asc(&|$)/);
  assert.match(text, /[?&]columns=price,high_24h(&|$)/);
  assert.deepEqual(address.read(text), view);
});

test("invalid values count as not given", () => {
  const usual = [
    "?by=luck&view=hologram&sort=price.sideways,__proto__.up&columns=%00,&size=&colour=mauve",
    "?where={&sort=.asc&columns=,,",
    "?where=[1]&by=&%%%",
    "?where=null&only=all&hide=none",
    where({ price: { ...above("<b>") }, nothing: { filterType: "text" } }),
    where({ price: { filterType: "date", type: "equals", filter: 1 }, pair: 7, "a b": above(1) }),
    where({ price: { filterType: "number", type: "contains", filter: 1 } }),
    where({ price: { filterType: "number", type: "inRange", filter: 1 } }),
    where({ price: { filterType: "number", operator: "XOR", conditions: [above(1), above(2)] } }),
    where({ price: { filterType: "number", operator: "AND", conditions: [above(1)] } }),
    where({ price: { filterType: "number", operator: "AND", conditions: [above(1), above(null)] } }),
    where({ pair: { filterType: "text", type: "contains", filter: "x".repeat(101) } }),
  ];
  for (const search of usual) assert.deepEqual(address.read(search), USUAL, search);
});

test("valid values beside invalid ones are read", () => {
  assert.deepEqual(address.read("?sort=price.desc,price.asc,volume.up").sort, [{ colId: "price", sort: "desc" }]);
  assert.deepEqual(address.read("?columns=price,<b>,price,market").columns, ["price", "market"]);
  assert.deepEqual(address.read(where({ price: above(1), pair: 7 })).where, { price: above(1) });
});

test("a column filter has at most five conditions, and a name at most a hundred characters", () => {
  const many = { filterType: "number", operator: "AND", conditions: [1, 2, 3, 4, 5, 6].map(above) };

  assert.equal(address.read(where({ price: many })).where.price.conditions.length, 5);
  assert.equal(address.read("?q=" + "x".repeat(500)).q, "x".repeat(100));
});
