// The shape of each metric's last day: an hour's points from the server, and the row's own price at the end of it, so
// that a line goes with every tick. Asked for are the lines of the rows in view, when they come there, when an hour is
// over and when the past has changed.
(function () {
  "use strict";
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const HOUR = 3600000; // ms
  const SPAN = 23 * HOUR; // from the first point to the last
  const MAX_ASKED = 100; // lines
  const NO_POINT = 255;

  /** @type {Map<string, { until: number, points: number[], low: number, high: number, past: number }>} */
  const lines = new Map(); // by the metric's number
  let past = 0; // numbers what is known of the past: lines of an older one are asked for again
  let pastBegan = -Infinity; // the tick since which it is this one
  let now = 0; // the tick that the rows are of
  let isAsking = false;

  // The points of a row's line as [place from 0 to 1, price or null]; null where it is not known yet.
  function sparkline(row) {
    const line = lines.get(row.id);
    if (!line) return null;
    const end = Math.max(now, line.until);
    const moment = (place) => line.until - (line.points.length - 1 - place) * HOUR;
    const price = (point) => (point === NO_POINT ? null : line.low + ((line.high - line.low) * point) / 100);
    /** @type {[number, number | null][]} */
    const found = line.points.map((point, place) => [1 - (end - moment(place)) / SPAN, price(point)]);
    if (row.active && !row.stale && row.price != null) {
      if (end === line.until && found.length) found.pop();
      found.push([1, row.price]);
    }
    return found.filter(([place]) => place >= 0);
  }

  const isOld = (id) => lines.get(id)?.past !== past;

  async function askForLines() {
    if (isAsking) return;
    isAsking = true;
    try {
      const grid = await ranking.api();
      while (!grid.isDestroyed() && grid.getColumn("spark")?.isVisible()) {
        const nodes = grid.getRenderedNodes().filter((node) => node.data && isOld(node.data.id));
        const ids = nodes.slice(0, MAX_ASKED).map((node) => node.data?.id);
        if (!ids.length || !(await fetchLines(ids))) break;
        grid.refreshCells({ rowNodes: nodes, columns: ["spark"], force: true });
      }
    } finally {
      isAsking = false;
    }
  }

  async function fetchLines(ids) {
    const asOf = past;
    try {
      const answer = await fetch(window.trackerPaths.at("/sparklines?metrics=" + ids.join()), { cache: "no-cache" });
      if (!answer.ok) return false; // asked for again with the next rows
      const { minute, points, low, high } = await answer.json();
      const until = Date.parse(minute) || 0;
      for (const id of ids)
        lines.set(id, { until, points: points[id] || [], low: low[id], high: high[id], past: asOf });
      return true;
    } catch {
      return false;
    }
  }

  // The rows are of the tick at `minute`; `isChanged` says that more than that tick may have been added to the past.
  function followTick(minute, isChanged) {
    now = Date.parse(minute) || 0;
    if (isChanged || now - pastBegan >= HOUR) {
      past++;
      pastBegan = now;
    }
    return askForLines();
  }

  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ sparkline, askForLines, followTick }));
})();
