import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { callbacks, isNothing, load, server } from "./page.mjs";

const NOON = Date.parse("2026-03-01T12:00:00Z");
const COUNTS = { tracked: 1200, live: 1190, stale_metrics: 7 }; // the others do not trade
const LIVE = { connection: "ok", minute: "2026-03-01T12:00:00Z", period: 60, alerts: [], ...COUNTS };

beforeEach(() => mock.timers.enable({ apis: ["Date"], now: NOON }));
afterEach(() => mock.timers.reset());

function page(...answers) {
  const ticks = [];
  const fetch = server(...answers);
  const window = load(["0-ids.js", "1-notation.js", "ranking/summary.js"], {
    fetch,
    setInterval: (each) => ticks.push(each),
  });
  const place = (window.document.elements["figure-next-tick"] = { textContent: "" });
  const { summary } = callbacks(window);
  // The countdown after `seconds` more.
  const later = (seconds) => {
    mock.timers.setTime(NOON + seconds * 1000);
    for (const tick of ticks) tick();
    return place.textContent;
  };
  return { window, asked: fetch.asked, summary, later };
}

test("the time to the next tick counts down by the second, and begins again after it", () => {
  const { summary, later } = page({ body: { alerts: [] } });
  summary({ ...LIVE, period: 90 });

  assert.deepEqual([0, 0.5, 1, 29, 30, 89, 90, 91].map(later), [
    "1:30",
    "1:30",
    "1:29",
    "1:01",
    "1:00",
    "0:01",
    "1:30",
    "1:29",
  ]);
});

test("a wrong clock counts down from a period at most", () => {
  const { summary, later } = page({ body: { alerts: [] } });
  summary({ ...LIVE, minute: "2026-03-01T15:00:20Z" });

  assert.equal(later(0), "0:20");
});

test("there is no countdown while no tick is expected", () => {
  for (const change of [{ connection: "lost" }, { minute: null }, { stale: true }]) {
    const { summary, later } = page({ body: { alerts: [] } });
    summary({ ...LIVE, ...change });
    assert.equal(later(5), "–", JSON.stringify(change));
  }
});

test("the figures summarise the market", () => {
  const { summary, window } = page({ body: { alerts: [] } });
  window.trackerNotation.chooseZone("utc");

  assert.deepEqual(summary(LIVE), ["1,200", "1,190", "7", "12:00"]);
  for (const value of summary(null)) assert.ok(isNothing(value));
});

test("the day's alerts are counted from the viewer's midnight, and again only when another has fired", async () => {
  const { asked, summary, window } = page({ body: { alerts: [{}, {}] } }, { body: { alerts: [{}, {}, {}] } });
  const shown = async () => {
    await new Promise(setImmediate);
    return window.dash_clientside.props["figure-alerts"].children;
  };

  summary({ ...LIVE, alerts: [{ id: 7 }] });
  assert.equal(await shown(), "2");
  summary({ ...LIVE, alerts: [{ id: 7 }] });
  assert.equal(await shown(), "2");
  summary({ ...LIVE, alerts: [{ id: 7 }, { id: 8 }] });
  assert.equal(await shown(), "3");

  assert.equal(asked.length, 2);
  const midnight = new Date(NOON).setHours(0, 0, 0, 0);
  const query = new URLSearchParams(asked[0].address.split("?")[1]);
  assert.deepEqual([Date.parse(query.get("since")), query.get("limit")], [midnight - 1000, "1000"]);
});

test("a count of a thousand alerts has a plus sign", async () => {
  const { summary, window } = page({ body: { alerts: Array(1000).fill({}) } });

  summary(LIVE);
  await new Promise(setImmediate);

  assert.equal(window.dash_clientside.props["figure-alerts"].children, "1,000+");
});
