// Which columns are shown: those the viewer chose, or else those that fit the window.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const ALWAYS = ["star", "rank", "pair"];
  /** @type {[number, string[]][]} */
  const NARROWER = [
    [680, ["moved", "market", "change_1h", "stdev", "volatility", "turnover", "spark", "alerted"]],
    [980, ["moved", "market", "turnover", "spark", "alerted"]],
    [1180, ["turnover"]],
  ]; // what does not fit windows of less than so many pixels
  const NARROW_RANK = 48; // pixels, on a phone; elsewhere it shares the width as all do
  const COLUMN_OF = { volume: "turnover" };

  const columnOf = (choice) => COLUMN_OF[choice] || choice;

  function wanted(grid) {
    const { columns, by } = ranking.view();
    const names = grid.getColumns().map((column) => column.getColId());
    const chosen = (columns || []).filter((name) => names.includes(name) && !ALWAYS.includes(name));
    if (chosen.length) return names.filter((name) => ALWAYS.includes(name) || chosen.includes(name));
    const [, unfit] = NARROWER.find(([width]) => window.innerWidth < width) || [0, []];
    const isUsual = (name) => !grid.getColumn(name).getColDef().initialHide && !unfit.includes(name);
    const added = by === ranking.address.USUAL_BY ? null : columnOf(by);
    return names.filter((name) => isUsual(name) || name === added);
  }

  function fit(grid) {
    if (!(grid.getColumns() || []).length) return;
    const names = wanted(grid);
    const wrong = grid.getColumns().filter((column) => column.isVisible() !== names.includes(column.getColId()));
    for (const shown of [true, false]) {
      const those = wrong.filter((column) => names.includes(column.getColId()) === shown);
      if (those.length) grid.setColumnsVisible(those, shown);
    }
    const rank =
      window.innerWidth < NARROWER[0][0]
        ? { flex: null, width: NARROW_RANK }
        : { flex: grid.getColumn("rank").getColDef().flex };
    if ((grid.getColumn("rank").getFlex() ?? null) !== rank.flex)
      grid.applyColumnState({ state: [{ colId: "rank", ...rank }] });
    tick(choosable(names));
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
