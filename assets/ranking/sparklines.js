// The shape of each metric's last day: hourly points from the server, and the row's own price at the end, so that a line
// moves with every tick. The lines of the visible rows are requested as they come into view, when an hour is over and
// when history has changed.
(function () {
  "use strict";
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const HOUR = 3600000; // ms
  const SPAN = 23 * HOUR; // from the first point to the last
  const MAX_REQUESTED = 100; // lines
  const NO_POINT = 255;

  /** @type {Map<string, { until: number, points: number[], low: number, high: number, history: number }>} */
  const lines = new Map(); // by row id
  let history = 0; // number of the known state of history: lines of an older one are requested again
  let historySince = -Infinity; // the tick at which this state began
  let now = 0; // the tick of the rows
  let isRequesting = false;

  /** @type {Ranking["sparkline"]} */
  function sparkline(row) {
    const line = lines.get(row.id);
    if (!line) return null;
    const end = Math.max(now, line.until);
    const momentOf = (/** @type {number} */ index) => line.until - (line.points.length - 1 - index) * HOUR;
    const priceOf = (/** @type {number} */ point) =>
      point === NO_POINT ? null : line.low + ((line.high - line.low) * point) / 100;
    /** @type {[number, number | null][]} */
    const points = line.points.map((point, index) => [1 - (end - momentOf(index)) / SPAN, priceOf(point)]);
    if (row.active && !row.stale && row.price != null) {
      if (end === line.until && points.length) points.pop();
      points.push([1, row.price]);
    }
    return points.filter(([place]) => place >= 0);
  }

  /** @param {RowNode} node */
  const isOutdated = (node) => node.data && lines.get(node.data.id)?.history !== history;

  async function fetchSparklines() {
    if (isRequesting) return;
    isRequesting = true;
    try {
      const grid = await ranking.gridApi();
      while (!grid.isDestroyed() && grid.getColumn("spark")?.isVisible()) {
        const nodes = grid.getRenderedNodes().filter(isOutdated);
        const ids = nodes.slice(0, MAX_REQUESTED).flatMap((node) => node.data?.id ?? []);
        if (!ids.length || !(await request(ids))) break;
        grid.refreshCells({ rowNodes: nodes, columns: ["spark"], force: true });
      }
    } finally {
      isRequesting = false;
    }
  }

  /**
   * Requests lines; false if that failed, whereupon the next rows request them again.
   * @param {string[]} ids
   */
  async function request(ids) {
    const asOf = history;
    try {
      const answer = await fetch(window.trackerPaths.at("/sparklines?metrics=" + ids.join()), { cache: "no-cache" });
      if (!answer.ok) return false;
      /** @type {SparklinesBody} */
      const { minute, points, low, high } = await answer.json();
      const until = Date.parse(minute || "") || 0;
      for (const id of ids)
        lines.set(id, { until, points: points[id] || [], low: low[id], high: high[id], history: asOf });
      return true;
    } catch {
      return false;
    }
  }

  /** @type {Ranking["followTick"]} */
  function followTick(minute, isHistoryChanged) {
    now = Date.parse(minute || "") || 0;
    if (isHistoryChanged || now - historySince >= HOUR) {
      history++;
      historySince = now;
    }
    return fetchSparklines();
  }

  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ sparkline, fetchSparklines, followTick }));
})();
