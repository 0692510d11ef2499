import assert from "node:assert/strict";
import { test } from "node:test";

import { callbacks, isNothing, load } from "./page.mjs";

const REQUEST = { body: { rule: 0 }, span: "24h", limits: { metrics: 2, markers: 2, listed: 3 } };
const fired = (metric, minute, price) => ({ metric_id: metric, price, fired_at: `1970-01-01T00:0${minute}:00Z` });
const RESULT = {
  since: "1970-01-01T00:00:00Z",
  until: "1970-01-02T00:00:00Z",
  count: 6,
  metrics: [
    { metric_id: 4, count: 3 },
    { metric_id: 9, count: 2 },
    { metric_id: 7, count: 1 },
  ],
  firings: [fired(4, 1, 10), fired(9, 2, 20), fired(4, 3, 11), fired(7, 4, 30), fired(9, 5, 21), fired(4, 6, 12)],
};
const event = (name, data) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

// The page with its progress bar, and an answer whose parts are sent on demand of the test.
function form(status = 200) {
  const bar = { value: 0, removeAttribute: (name) => void delete bar[name] };
  const line = { textContent: "" };
  const elements = { "rule-replay-progress": bar, "rule-replay-text": line };
  const parts = { document: { getElementById: (id) => elements[id] ?? null, addEventListener() {} } };
  const asked = [];
  let stream;
  parts.fetch = async (address, options) => {
    asked.push({ address, options });
    const body = new ReadableStream({ start: (controller) => void (stream = controller) });
    options.signal.addEventListener("abort", () => stream.error(new Error("aborted")));
    return new Response(body, { status });
  };
  const window = load(["0-ids.js", "rule-replay.js"], parts);
  const send = async (text) => {
    await new Promise(setImmediate);
    stream.enqueue(new TextEncoder().encode(text));
    await new Promise(setImmediate);
  };
  const isWaiting = () => !window.dash_clientside.props["rule-replay-wait"].className.includes("is-hidden");
  return { asked, bar, elements, end: () => stream.close(), isWaiting, send, line, ...callbacks(window) };
}

test("a replay shows its progress, and passes on the part of the answer that the page shows", async () => {
  const { asked, bar, isWaiting, send, replayRule, line } = form();
  const outcome = replayRule(REQUEST);

  await send(event("progress", { share: null }));
  assert.match(line.textContent, /^Waiting for another replay/);
  assert.ok(!("value" in bar));
  await send(event("progress", { share: 0.25 }) + event("progress", { share: 0.5 }).slice(0, 9));
  assert.match(line.textContent, /^Replaying the stored prices/);
  assert.equal(bar.value, 0.25);
  assert.ok(isWaiting());
  await send(event("progress", { share: 0.5 }).slice(9) + event("result", RESULT));

  assert.deepEqual(await outcome, {
    span: "24h",
    since: 0,
    until: 86_400,
    count: 6,
    metrics: 3,
    top: [
      [4, 3],
      [9, 2],
    ],
    markers: {
      4: [
        [180, 11],
        [360, 12],
      ],
      9: [
        [120, 20],
        [300, 21],
      ],
    },
    newest: [fired(4, 6, 12), fired(9, 5, 21), fired(7, 4, 30)],
  });
  assert.equal(bar.value, 0.5);
  assert.ok(!isWaiting());
  assert.equal(asked[0].address, "/alerts/rules/replay");
  assert.equal(asked[0].options.headers.Accept, "text/event-stream");
  assert.deepEqual(JSON.parse(asked[0].options.body), { rule: 0 });
});

test("a refused replay says why", async () => {
  const { end, isWaiting, send, replayRule } = form(503);
  const outcome = replayRule(REQUEST);
  await send(JSON.stringify({ detail: "busy; try again in 10 seconds" }));
  end();

  assert.deepEqual(await outcome, { problem: "busy; try again in 10 seconds", status: 503 });
  assert.ok(!isWaiting());
});

test("a replay that ends early says why, or that the server did not answer", async () => {
  const first = form();
  const ended = first.replayRule(REQUEST);
  await first.send(event("problem", { detail: "it takes too long", status: 503 }));
  assert.deepEqual(await ended, { problem: "it takes too long", status: 503 });

  const second = form();
  const cut = second.replayRule(REQUEST);
  await second.send(event("progress", { share: 0.5 }));
  second.end();
  assert.deepEqual(await cut, { problem: "The server did not answer." });
});

test("a replay that is cancelled, or whose form was left, is aborted and changes nothing", async () => {
  const { asked, cancelReplay, elements, isWaiting, send, replayRule } = form();
  const cancelled = replayRule(REQUEST);
  await send(event("progress", { share: 0.5 }));
  cancelReplay(1);
  assert.ok(isNothing(await cancelled));
  assert.ok(asked[0].options.signal.aborted);
  assert.ok(!isWaiting());

  const left = replayRule(REQUEST);
  await send(event("progress", { share: 0.5 }));
  delete elements["rule-replay-progress"];
  await send(event("progress", { share: 0.6 }));
  assert.ok(isNothing(await left));
  assert.ok(asked[1].options.signal.aborted);
});

test("a second replay ends the first", async () => {
  const { asked, isWaiting, send, replayRule } = form();
  const first = replayRule(REQUEST);
  await send(event("progress", { share: 0.5 }));
  const second = replayRule(REQUEST);
  assert.ok(isNothing(await first));
  assert.ok(asked[0].options.signal.aborted);
  assert.ok(isWaiting());
  await send(event("result", RESULT));
  assert.equal((await second).count, 6);
});
