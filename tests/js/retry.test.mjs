import assert from "node:assert/strict";
import { test } from "node:test";

import { callbacks, isNothing, load, server } from "./page.mjs";

const UPDATE = "/_dash-update-component";
const asking = (...changed) => ({ body: JSON.stringify({ changedPropIds: changed }) });

test("an unanswered update is reported, and retried when the server is back", async () => {
  const fetch = server({ status: 502 }, new Error("gone"), { status: 200 });
  const window = load(["0-ids.js", "retry.js"], { fetch });
  const { props } = window.dash_clientside;
  window.dash_component_api = { getLayout: (id) => ({ props: { value: `of ${id}` } }) };

  await window.fetch(UPDATE, asking("a.value", "b.value"));
  await assert.rejects(window.fetch(UPDATE, asking("b.value", "c.value")), /gone/);

  assert.deepEqual(props["failed-updates"].data, ["a.value", "b.value", "c.value"]);
  assert.equal(props.toast.is_open, true);

  const { recover } = callbacks(window);
  assert.ok(isNothing(recover({ connection: "lost" })));
  assert.equal(recover({ connection: "ok" }), false, "which closes the message");
  assert.deepEqual(
    ["a", "b", "c"].map((id) => props[id].value),
    ["of a", "of b", "of c"],
  );
  assert.ok(isNothing(recover({ connection: "ok" })), "once is enough");
});

test("answered and aborted requests, and those that are no update, are left alone", async () => {
  const abort = new DOMException("enough", "AbortError");
  const fetch = server({ status: 200 }, { status: 400 }, abort, { status: 500 });
  const window = load(["0-ids.js", "retry.js"], { fetch });

  await window.fetch(UPDATE, asking("a.value"));
  await window.fetch(UPDATE, asking("a.value"));
  await assert.rejects(window.fetch(UPDATE, asking("a.value")), { name: "AbortError" });
  await window.fetch("/table");

  assert.deepEqual(window.dash_clientside.props, {});
});
