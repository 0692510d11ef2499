// Which columns are shown: those the viewer chose, beside one another where the window is too narrow for them, or else
// as many as fit, the less important ones going first.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const ALWAYS = ["star", "rank", "pair"];
  const GOING_FIRST = ["moved", "alerted", "market", "turnover", "spark", "change_1h", "volatility", "stdev"];
  const COLUMN_OF = { volume: "turnover" };
  const SCROLLBAR = 16; // pixels that the grid may need beside its columns

  const columnOf = (choice) => COLUMN_OF[choice] || choice;

  function wanted(grid, widths) {
    const { columns, by } = ranking.view();
    const names = grid.getColumns().map((column) => column.getColId());
    const chosen = (columns || []).filter((name) => names.includes(name) && !ALWAYS.includes(name));
    if (chosen.length) return names.filter((name) => ALWAYS.includes(name) || chosen.includes(name));
    const added = by === ranking.address.USUAL_BY ? null : columnOf(by);
    const isUsual = (name) => name === added || !grid.getColumn(name).getColDef().initialHide;
    return fitting(names.filter(isUsual), added, widths);
  }

  // Those of `names` that the window has room for.
  function fitting(names, added, widths) {
    const frame = /** @type {HTMLElement} */ (document.getElementById(ids.frame));
    const room = (frame.clientWidth || window.innerWidth) - SCROLLBAR; // it is hidden where only the map is shown
    let needed = names.reduce((sum, name) => sum + widths[name], 0);
    const gone = new Set();
    for (const name of GOING_FIRST) {
      if (needed <= room) break;
      if (name === added || !names.includes(name)) continue;
      gone.add(name);
      needed -= widths[name];
    }
    return names.filter((name) => !gone.has(name));
  }

  function fit(grid) {
    const frame = document.getElementById(ids.frame);
    if (!(grid.getColumns() || []).length || !frame) return;
    const widths = ranking.columnWidths(grid);
    give(grid, widths);
    const names = wanted(grid, widths);
    const wrong = grid.getColumns().filter((column) => column.isVisible() !== names.includes(column.getColId()));
    for (const shown of [true, false]) {
      const those = wrong.filter((column) => names.includes(column.getColId()) === shown);
      if (those.length) grid.setColumnsVisible(those, shown);
    }
    frame.dataset.market = names.includes("market") ? "column" : "under-pair";
    tick(choosable(names));
  }

  // No column gets narrower than what is in it.
  function give(grid, widths) {
    if (grid.getColumns().every((column) => column.getMinWidth() === widths[column.getColId()])) return;
    const sized = (definition) => {
      const minWidth = widths[definition.colId ?? definition.field];
      return definition.flex ? { ...definition, minWidth } : { ...definition, minWidth, width: minWidth };
    };
    grid.setGridOption("columnDefs", grid.getColumnDefs().map(sized));
  }

  // The ticks in the list, where they are others.
  function tick(names) {
    const list = /** @type {HTMLElement} */ (document.getElementById(ids.columns));
    /** @type {NodeListOf<HTMLInputElement>} */
    const boxes = list.querySelectorAll("input:checked");
    const ticked = [...boxes].map((box) => box.value);
    if (ticked.join() !== names.join()) window.dash_clientside.set_props(ids.columns, { value: names });
  }

  const choosable = (names) => names.filter((name) => !ALWAYS.includes(name));

  // The list of columns was ticked, or set to what is shown.
  async function chooseColumns(ticked) {
    if (!window.dash_clientside.callback_context.triggered.length) return;
    const grid = await ranking.api();
    const shown = choosable(grid.getAllDisplayedColumns().map((column) => column.getColId()));
    const names = shown.filter((name) => ticked.includes(name)).concat(ticked.filter((name) => !shown.includes(name)));
    if (names.join() === shown.join()) return;
    if (names.length) ranking.change({ columns: names });
    else window.dash_clientside.set_props(ids.columns, { value: shown }); // a table of names alone tells nothing
  }

  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ fit }));
  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.tracker = Object.assign(window.dash_clientside.tracker || {}, { chooseColumns });
})();
