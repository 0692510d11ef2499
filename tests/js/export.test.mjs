import assert from "node:assert/strict";
import { test } from "node:test";

import { callbacks, load } from "./page.mjs";

// The file saved when the rows `data` are shown in the columns `shown` (names by id).
async function saved(shown, data) {
  const columns = Object.entries(shown).map(([id, headerName]) => ({
    getColId: () => id,
    getColDef: () => ({ headerName }),
  }));
  const grid = {
    getAllDisplayedColumns: () => columns,
    forEachNodeAfterFilterAndSort: (each) => data.forEach((row) => each({ data: row })),
  };
  const link = { click() {} };
  const document = { createElement: () => link, addEventListener() {} };
  const blobs = [];
  const URL = { createObjectURL: (blob) => "blob:" + blobs.push(blob), revokeObjectURL() {} };
  const window = load(["0-ids.js", "csv.js", "ranking/export.js"], {
    ranking: { gridApi: async () => grid },
    document,
    URL,
    setTimeout() {},
  });

  await callbacks(window).exportCsv(1);

  assert.match(link.download, /^ranking-\d{4}-\d\d-\d\dT\d{4}Z\.csv$/);
  // A decoder removes the byte order mark.
  const bytes = new Uint8Array(await blobs[0].arrayBuffer());
  assert.deepEqual([...bytes.slice(0, 3)], [0xef, 0xbb, 0xbf]);
  return new TextDecoder().decode(bytes);
}

test("the file has the columns shown, unrounded numbers, and nothing for unknown values", async () => {
  const text = await saved({ star: "", pair: "Pair", price: "Price", spark: "24 h" }, [
    { star: null, pair: "BTC/USD", price: 60123.456789, spark: [1] },
    { pair: "DEAD/USD", price: null },
  ]);

  assert.equal(text, "Pair,Price\r\nBTC/USD,60123.456789\r\nDEAD/USD,\r\n");
});

test("a name cannot break out of its cell or become a formula in a spreadsheet", async () => {
  const names = ['=HYPERLINK("x")', "+1", "-1", "@x", "\tx", "a,b", 'a"b', "a\nb", "a=b"];

  const text = await saved(
    { pair: "Pair" },
    names.map((pair) => ({ pair })),
  );

  assert.deepEqual(text.split("\r\n"), [
    "Pair",
    `"'=HYPERLINK(""x"")"`,
    "'+1",
    "'-1",
    "'@x",
    "'\tx",
    '"a,b"',
    '"a""b"',
    '"a\nb"',
    "a=b",
    "",
  ]);
});
