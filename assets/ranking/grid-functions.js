// Functions that the table's options name (layouts/ranking.py, layouts/ranking_columns.py).
(function () {
  "use strict";
  const { registerGridFunctions, setProps } = window.trackerDash;
  const ranking = (window.trackerRanking = window.trackerRanking || {});

  /** @type {Ranking["openMetric"]} */
  function openMetric(id) {
    const pathname = window.trackerPaths.at("/metric/" + id);
    setProps(window.trackerIds.location, { pathname, search: "", hash: "" });
    window.scrollTo(0, 0);
  }

  /**
   * Compares values so that unknown ones come last in both directions.
   * @param {[left: unknown, right: unknown, leftNode: RowNode, rightNode: RowNode, isDescending: boolean]} values
   */
  function nullsLast(...[left, right, , , isDescending]) {
    if (left == null || right == null) {
      if (left == null && right == null) return 0;
      return (left == null) !== isDescending ? 1 : -1;
    }
    return left < right ? -1 : left > right ? 1 : 0;
  }

  /**
   * A click opens the row's metric. With a modifier it selects, or opens a tab by the cell's own link.
   * @param {CellClick} params
   */
  function openRow({ event, data }) {
    const click = /** @type {MouseEvent | null | undefined} */ (event);
    if (click && (click.ctrlKey || click.metaKey || click.shiftKey)) return;
    if (click && /** @type {Element} */ (click.target).closest(".star")) return;
    if (data) openMetric(data.id);
  }

  /**
   * Enter and space do what a click does.
   * @param {CellKey} params
   */
  function pressKey({ event, data, column }) {
    const key = /** @type {KeyboardEvent | null | undefined} */ (event);
    if (!key || (key.key !== "Enter" && key.key !== " ") || !data) return;
    key.preventDefault();
    if (column.getColId() === "star") ranking.toggleFavourite(data);
    else openMetric(data.id);
  }

  /** @param {{ api: Grid }} params */
  const fitColumns = ({ api }) => ranking.fitColumns(api);

  /**
   * Records the sort and the column filters that the viewer set in the grid.
   * @param {{ api: Grid }} params
   */
  function noteState({ api }) {
    /** @type {Sort} */
    const sort = api
      .getColumnState()
      .sort((left, right) => (left.sortIndex ?? 0) - (right.sortIndex ?? 0))
      .flatMap(({ colId, sort: direction }) => (direction ? [{ colId, sort: direction }] : []));
    // Without a sort the grid would keep the order in which the rows first came.
    if (!sort.length) return api.applyColumnState({ state: ranking.address.DEFAULT_SORT });
    ranking.recordView({ where: /** @type {RankingView["where"]} */ (api.getFilterModel()), sort });
  }

  registerGridFunctions({ ...window.trackerNotation, nullsLast, openRow, pressKey, fitColumns, noteState });
  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ openMetric }));
})();
