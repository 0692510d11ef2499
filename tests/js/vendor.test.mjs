import assert from "node:assert/strict";
import { test } from "node:test";

import { outdated, vendored } from "../../scripts/vendor.mjs";

test("every vendored file equals that of the locked package, and the scripts that load it name its version", () => {
  const { wrong, left } = outdated();

  assert.deepEqual([...wrong.keys()], [], "after a new version: make vendor");
  assert.deepEqual(left, []);
});

test("a vendored file is named by its version and asks for no source map", () => {
  const files = [...vendored()];

  assert.equal(files.length, 4);
  for (const [path, text] of files) {
    assert.match(path, /^assets\/(bootstrap\.min\.css|vendor\/[a-z0-9-]+-\d+\.\d+\.\d+\.(min\.js|LICENSE))$/);
    assert.ok(!text.includes("sourceMappingURL"), path);
    assert.match(text, /Copyright/, path);
  }
});
