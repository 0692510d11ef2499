// The table as a CSV file: the filtered rows in the order shown, with the columns shown and unrounded numbers.
(function () {
  "use strict";
  const { register } = window.trackerDash;
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const PICTURES = ["star", "spark"];

  // A spreadsheet takes text that begins so for a formula, and names come from outside.
  const isFormula = (/** @type {string} */ text) => /^[=+\-@\t\r]/.test(text);

  /** @param {unknown} value */
  function cell(value) {
    if (value == null) return "";
    if (typeof value === "number") return String(value);
    const text = (isFormula(String(value)) ? "'" : "") + value;
    return /[",\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  }

  /** @param {Grid} grid */
  function csv(grid) {
    const columns = grid.getAllDisplayedColumns().filter((column) => !PICTURES.includes(column.getColId()));
    /** @type {unknown[][]} */
    const lines = [columns.map((column) => column.getColDef().headerName)];
    grid.forEachNodeAfterFilterAndSort(({ data }) => {
      const values = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (data));
      lines.push(columns.map((column) => values[column.getColId()]));
    });
    return lines.map((line) => line.map(cell).join(",") + "\r\n").join("");
  }

  /** @param {number | null} clicks */
  async function exportCsv(clicks) {
    if (!clicks) return;
    window.trackerCsv.save(csv(await ranking.gridApi()), "ranking");
  }

  register({ exportCsv });
})();
