import assert from "node:assert/strict";
import { test } from "node:test";

import { callbacks, isNothing, load } from "./page.mjs";

const ORDER = { body: { rule: 0 }, span: "24h", most: { metrics: 2, marks: 2, listed: 3 } };
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

// The page with its bar, and an answer whose parts are sent when the test says so.
function form(status = 200) {
  const bar = { value: 0, removeAttribute: (name) => void delete bar[name] };
  const words = { textContent: "" };
  const elements = { "rule-trial-share": bar, "rule-trial-words": words };
  const parts = { document: { getElementById: (id) => elements[id] ?? null, addEventListener() {} } };
  const asked = [];
  let stream;
  parts.fetch = async (address, options) => {
    asked.push({ address, options });
    const body = new ReadableStream({ start: (controller) => void (stream = controller) });
    options.signal.addEventListener("abort", () => stream.error(new Error("aborted")));
    return new Response(body, { status });
  };
  const window = load(["0-ids.js", "rule-trial.js"], parts);
  const send = async (text) => {
    await new Promise(setImmediate);
    stream.enqueue(new TextEncoder().encode(text));
    await new Promise(setImmediate);
  };
  const isWaiting = () => !window.dash_clientside.props["rule-trial-wait"].className.includes("is-hidden");
  return { asked, bar, elements, end: () => stream.close(), isWaiting, send, words, ...callbacks(window) };
}

test("a trial shows how far it is, and hands on what the page tells of the answer", async () => {
  const { asked, bar, isWaiting, send, tryRule, words } = form();
  const outcome = tryRule(ORDER);

  await send(event("progress", { share: null }));
  assert.match(words.textContent, /^Another replay is under way/);
  assert.ok(!("value" in bar));
  await send(event("progress", { share: 0.25 }) + event("progress", { share: 0.5 }).slice(0, 9));
  assert.match(words.textContent, /^Going through what is stored/);
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
    marks: {
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

test("what was refused says why", async () => {
  const { end, isWaiting, send, tryRule } = form(503);
  const outcome = tryRule(ORDER);
  await send(JSON.stringify({ detail: "busy; try again in 10 seconds" }));
  end();

  assert.deepEqual(await outcome, { trouble: "busy; try again in 10 seconds", status: 503 });
  assert.ok(!isWaiting());
});

test("what ends on the way says why, or that the server is silent", async () => {
  const first = form();
  const ended = first.tryRule(ORDER);
  await first.send(event("problem", { detail: "it takes too long", status: 503 }));
  assert.deepEqual(await ended, { trouble: "it takes too long", status: 503 });

  const second = form();
  const cut = second.tryRule(ORDER);
  await second.send(event("progress", { share: 0.5 }));
  second.end();
  assert.deepEqual(await cut, { trouble: "The server did not answer." });
});

test("a trial that is cancelled, or whose form was left, is asked for no longer and changes nothing", async () => {
  const { asked, cancelTrial, elements, isWaiting, send, tryRule } = form();
  const cancelled = tryRule(ORDER);
  await send(event("progress", { share: 0.5 }));
  cancelTrial(1);
  assert.ok(isNothing(await cancelled));
  assert.ok(asked[0].options.signal.aborted);
  assert.ok(!isWaiting());

  const left = tryRule(ORDER);
  await send(event("progress", { share: 0.5 }));
  delete elements["rule-trial-share"];
  await send(event("progress", { share: 0.6 }));
  assert.ok(isNothing(await left));
  assert.ok(asked[1].options.signal.aborted);
});

test("a second trial ends the first", async () => {
  const { asked, isWaiting, send, tryRule } = form();
  const first = tryRule(ORDER);
  await send(event("progress", { share: 0.5 }));
  const second = tryRule(ORDER);
  assert.ok(isNothing(await first));
  assert.ok(asked[0].options.signal.aborted);
  assert.ok(isWaiting());
  await send(event("result", RESULT));
  assert.equal((await second).count, 6);
});
