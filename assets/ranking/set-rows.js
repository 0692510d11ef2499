// Gives rows to the grid in slices, so that the page stays responsive: ten thousand at once would block it for a fifth of
// a second. The viewer's sort, filters, selection and scroll position belong to the grid and are not touched.
(function () {
  "use strict";
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const SLICE = 10; // ms of work between two pauses
  const BATCH = 250; // rows between two looks at the clock
  let latest = 0; // number of the newest call, which ends those before it

  /** @returns {Promise<void>} */
  const pause = () =>
    window.scheduler && scheduler.yield ? scheduler.yield() : new Promise((resolve) => setTimeout(resolve));

  /**
   * Calls `work` for each of `count` places, with pauses; false if it is no longer wanted after one of them.
   * @param {number} count
   * @param {(place: number) => void} work
   * @param {() => boolean} isWanted
   */
  async function inSlices(count, work, isWanted) {
    let begun = performance.now();
    for (let place = 0; place < count; place++) {
      if (place % BATCH === 0 && performance.now() - begun > SLICE) {
        await pause();
        if (!isWanted()) return false;
        begun = performance.now();
      }
      work(place);
    }
    return isWanted();
  }

  /**
   * The direction of a price change: 1 up, -1 down, 0 none or unknown.
   * @type {(before: number | null | undefined, now: number | null) => number}
   */
  const direction = (before, now) => (before == null || now == null ? 0 : Math.sign(now - before));

  /** @type {Ranking["setRows"]} */
  async function setRows(count, makeRow) {
    const number = ++latest;
    const grid = await ranking.gridApi();
    const isWanted = () => number === latest && !grid.isDestroyed();
    if (!isWanted()) return;
    /** @type {Set<string | undefined>} */
    const ids = new Set();
    /** @type {Row[]} */
    const added = [];
    const put = (/** @type {number} */ place) => {
      const data = makeRow(place);
      const node = grid.getRowNode(data.id);
      ids.add(data.id);
      if (node) {
        data.went = direction(node.data?.price, data.price) || node.data?.went || 0;
        node.data = data; // `show` draws the visible ones
      } else added.push(data);
    };
    if (!(await inSlices(count, put, isWanted))) return;
    if (added.length === count) return grid.setGridOption("rowData", added);
    await pause();
    if (isWanted()) show(grid, ids, added);
  }

  /**
   * Draws the visible rows, of which changed cells flash, and adds and removes rows.
   * @param {Grid} grid
   * @param {Set<string | undefined>} ids
   * @param {Row[]} added
   */
  function show(grid, ids, added) {
    /** @type {Row[]} */
    const removed = [];
    grid.forEachNode((node) => {
      if (node.data && !ids.has(node.id)) removed.push(node.data);
    });
    for (const node of grid.getRenderedNodes()) if (node.data) node.updateData(node.data);
    if (added.length || removed.length) grid.applyTransaction({ add: added, remove: removed });
    grid.refreshClientSideRowModel("filter");
  }

  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ setRows }));
})();
