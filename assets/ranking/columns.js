// The columns that are shown: those that the viewer chose, scrolled if the window is too narrow, or else as many as fit,
// the less important ones hidden first.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const { register, setProps } = window.trackerDash;
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const ALWAYS = ["star", "rank", "pair"];
  const HIDDEN_FIRST = ["moved", "alerted", "market", "turnover", "spark", "change_1h", "volatility", "stdev"];
  const SCROLLBAR = 16; // pixels that the grid may need beside its columns

  /** @param {RankedBy} by */
  const columnOf = (by) => (by === "volume" ? "turnover" : by);
  const isChoosable = (/** @type {string} */ name) => !ALWAYS.includes(name);
  /** @param {Grid} grid */
  const columnsOf = (grid) => grid.getColumns() || [];
  /** @param {GridColumn[]} columns */
  const namesOf = (columns) => columns.map((column) => column.getColId());

  /** @param {Grid} grid @param {Record<string, number>} widths */
  function columnsToShow(grid, widths) {
    const { columns, by } = ranking.view();
    const names = namesOf(columnsOf(grid));
    const chosen = (columns || []).filter((name) => names.includes(name) && isChoosable(name));
    if (chosen.length) return names.filter((name) => !isChoosable(name) || chosen.includes(name));
    const added = by === ranking.address.DEFAULT_BY ? null : columnOf(by);
    const isDefault = (/** @type {string} */ name) => !grid.getColumn(name)?.getColDef().initialHide;
    return fitting(
      names.filter((name) => name === added || isDefault(name)),
      added,
      widths,
    );
  }

  /**
   * Those of `names` that the window has room for, always with `added`.
   * @param {string[]} names
   * @param {string | null} added
   * @param {Record<string, number>} widths
   */
  function fitting(names, added, widths) {
    const frame = /** @type {HTMLElement} */ (document.getElementById(ids.frame));
    const room = (frame.clientWidth || window.innerWidth) - SCROLLBAR; // it is hidden where only the map is shown
    let needed = names.reduce((sum, name) => sum + widths[name], 0);
    const hidden = new Set();
    for (const name of HIDDEN_FIRST) {
      if (needed <= room) break;
      if (name === added || !names.includes(name)) continue;
      hidden.add(name);
      needed -= widths[name];
    }
    return names.filter((name) => !hidden.has(name));
  }

  /** @type {Ranking["fitColumns"]} */
  function fitColumns(grid) {
    const frame = document.getElementById(ids.frame);
    if (!columnsOf(grid).length || !frame) return;
    const widths = ranking.measureColumns(grid);
    setWidths(grid, widths);
    const names = columnsToShow(grid, widths);
    const wrong = columnsOf(grid).filter((column) => column.isVisible() !== names.includes(column.getColId()));
    for (const shown of [true, false]) {
      const columns = wrong.filter((column) => names.includes(column.getColId()) === shown);
      if (columns.length) grid.setColumnsVisible(columns, shown);
    }
    frame.dataset.market = names.includes("market") ? "column" : "under-pair";
    setTicks(names.filter(isChoosable));
  }

  /**
   * No column becomes narrower than its content.
   * @param {Grid} grid
   * @param {Record<string, number>} widths
   */
  function setWidths(grid, widths) {
    if (columnsOf(grid).every((column) => column.getMinWidth() === widths[column.getColId()])) return;
    const definitions = /** @type {ColumnDefinition[]} */ (grid.getColumnDefs() || []);
    const sized = definitions.map((definition) => {
      const minWidth = widths[definition.colId ?? definition.field ?? ""];
      return definition.flex ? { ...definition, minWidth } : { ...definition, minWidth, width: minWidth };
    });
    grid.setGridOption("columnDefs", sized);
  }

  /**
   * Ticks the shown columns in the list.
   * @param {string[]} names
   */
  function setTicks(names) {
    const list = /** @type {HTMLElement} */ (document.getElementById(ids.columns));
    /** @type {NodeListOf<HTMLInputElement>} */
    const boxes = list.querySelectorAll("input:checked");
    const ticked = [...boxes].map((box) => box.value);
    if (ticked.join() !== names.join()) setProps(ids.columns, { value: names });
  }

  /**
   * The viewer ticked columns in the list, or setTicks did.
   * @param {string[]} ticked
   */
  async function chooseColumns(ticked) {
    if (!window.dash_clientside.callback_context.triggered.length) return;
    const grid = await ranking.gridApi();
    const shown = namesOf(grid.getAllDisplayedColumns()).filter(isChoosable);
    const names = shown.filter((name) => ticked.includes(name)).concat(ticked.filter((name) => !shown.includes(name)));
    if (names.join() === shown.join()) return;
    if (names.length) ranking.changeView({ columns: names });
    else setProps(ids.columns, { value: shown }); // a table needs at least one column beside the names
  }

  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ fitColumns }));
  register({ chooseColumns });
})();
