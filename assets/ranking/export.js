// The table as a CSV file: the rows that pass, in the order and with the columns shown, numbers in full.
(function () {
  "use strict";
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const PICTURES = ["star", "spark"];

  // A spreadsheet takes text that begins so for a formula, and names come from outside.
  const isFormula = (text) => /^[=+\-@\t\r]/.test(text);

  function cell(value) {
    if (value == null) return "";
    if (typeof value === "number") return value + "";
    const text = (isFormula(value) ? "'" : "") + value;
    return /[",\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  }

  function csv(grid) {
    const columns = grid.getAllDisplayedColumns().filter((column) => !PICTURES.includes(column.getColId()));
    const lines = [columns.map((column) => column.getColDef().headerName)];
    grid.forEachNodeAfterFilterAndSort(({ data }) => lines.push(columns.map((column) => data[column.getColId()])));
    return lines.map((line) => line.map(cell).join(",") + "\r\n").join("");
  }

  async function exportCsv(clicks) {
    if (!clicks) return;
    window.trackerCsv.save(csv(await ranking.api()), "ranking");
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.tracker = Object.assign(window.dash_clientside.tracker || {}, { exportCsv });
})();
