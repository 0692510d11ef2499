import assert from "node:assert/strict";
import { test } from "node:test";

import { callbacks, isNothing, load, server } from "./page.mjs";

const LIVE = { revision: 4, minute: "2026-03-01T14:03:00Z" };
const tagged = (tag, body = LIVE) => ({ body, headers: { ETag: tag } });

function poller(...answers) {
  const fetch = server(...answers);
  const window = load(["0-ids.js", "live.js"], { fetch });
  return { window, asked: fetch.asked, ...callbacks(window) };
}

test("each state is passed on once", async () => {
  const { poll } = poller(tagged('"a"'), tagged('"a"'), tagged('"b"', { revision: 5 }));

  assert.deepEqual(await poll(), { ...LIVE, connection: "ok" });
  assert.ok(isNothing(await poll()));
  assert.deepEqual(await poll(), { revision: 5, connection: "ok" });
});

test("a lost connection is reported once, with the last state and since when, and its end at once", async () => {
  const { poll } = poller(tagged('"a"'), new Error("gone"), { status: 500 }, tagged('"a"'));
  await poll();

  const lost = await poll();
  assert.deepEqual({ ...lost, since: null }, { ...LIVE, connection: "lost", since: null });
  assert.ok(Date.parse(lost.since) > 0);
  assert.ok(isNothing(await poll()));
  assert.deepEqual(await poll(), { ...LIVE, connection: "ok" });
});

test("an unavailable database is no lost connection", async () => {
  const { poll } = poller({ status: 503 }, { status: 503 }, new Error("gone"));

  assert.equal((await poll()).connection, "database");
  assert.ok(isNothing(await poll()));
  assert.equal((await poll()).connection, "lost");
});

test("at most one request is under way, and none while the tab is hidden", async () => {
  const { asked, poll, window } = poller(tagged('"a"'), tagged('"b"'));

  const [first, second] = await Promise.all([poll(), poll()]);
  assert.equal(first.connection, "ok");
  assert.equal(second, first, "Dash hears only the call that came last");
  window.document.hidden = true;
  assert.ok(isNothing(await poll()));
  assert.equal(asked.length, 1);

  window.document.hidden = false;
  window.document.send("visibilitychange");
  assert.ok(window.dash_clientside.props.poll.n_intervals < 0, "who comes back is served at once");
});

test("a page is renewed only by another revision, and only while connected", () => {
  const { revision } = poller();

  assert.equal(revision({ connection: "ok", revision: 5 }, 4), 5);
  for (const live of [null, { connection: "ok", revision: 4 }, { connection: "lost", revision: 5 }]) {
    assert.ok(isNothing(revision(live, 4)));
  }
});

test("a page is renewed once a period while history is filled in, and at once by anything else", () => {
  let now = 0;
  const { revision } = callbacks(load(["live.js"], { performance: { now: () => now } }));
  const live = { ...LIVE, connection: "ok", period: 60, backfills: [{ market: "kraken", done: 1 }] };

  assert.equal(revision(live, 3), 4);
  now = 59_999;
  assert.ok(isNothing(revision({ ...live, revision: 5, backfills: [{ market: "kraken", done: 2 }] }, 4)));
  now = 60_000;
  assert.equal(revision({ ...live, revision: 6 }, 4), 6);
  assert.ok(isNothing(revision({ ...live, revision: 7 }, 6)));
  assert.equal(revision({ ...live, revision: 8, minute: "2026-03-01T14:04:00Z" }, 6), 8, "a tick");
  assert.equal(revision({ ...live, revision: 9, minute: "2026-03-01T14:04:00Z", alerts: [1] }, 8), 9, "an alert");
  assert.equal(revision({ ...live, revision: 10, backfills: [] }, 9), 10, "its end");
  assert.equal(revision({ ...live, revision: 11, backfills: [] }, 10), 11, "nothing is filled in");
});

test("a tick that becomes stale is reported when that changes, and only while connected", () => {
  const { tickStale } = poller();
  const live = { ...LIVE, connection: "ok", stale: false };

  assert.ok(isNothing(tickStale(live, false)));
  assert.equal(tickStale({ ...live, stale: true }, false), true);
  assert.ok(isNothing(tickStale({ ...live, stale: true }, true)));
  assert.ok(isNothing(tickStale({ ...live, stale: true, connection: "lost" }, false)));
  assert.equal(tickStale(live, true), false);
});
