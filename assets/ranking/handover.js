// Hands rows to the grid in slices, so that the page answers meanwhile: ten thousand at once would hold it up for a
// fifth of a second. What the user sorted, filtered, selected and scrolled belongs to the grid and is not touched.
(function () {
  "use strict";
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const SLICE = 10; // ms of work between two pauses
  const BATCH = 250; // rows between two looks at the clock
  let latest = 0; // numbers the hand-overs: a newer one ends those before it

  const pause = () =>
    window.scheduler && scheduler.yield ? scheduler.yield() : new Promise((resolve) => setTimeout(resolve));

  // Calls `work` for each of so many places, with pauses; false when `isWanted` came to be false meanwhile.
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

  // Which way a price went: 1 up, -1 down, 0 where it did not, or was not known.
  const way = (before, now) => (before == null || now == null ? 0 : Math.sign(now - before));

  // Gives the grid `count` rows in place of those that it has; `row(place)` makes one.
  async function handOver(count, row) {
    const number = ++latest;
    const grid = await ranking.api();
    const isWanted = () => number === latest && !grid.isDestroyed();
    if (!isWanted()) return;
    const ids = new Set();
    /** @type {Row[]} */
    const added = [];
    const put = (place) => {
      const data = row(place);
      const node = grid.getRowNode(data.id);
      ids.add(data.id);
      if (node) {
        data.went = way(node.data?.price, data.price) || node.data?.went || 0;
        node.data = data; // what is in view is drawn below
      } else added.push(data);
    };
    if (!(await inSlices(count, put, isWanted))) return;
    if (added.length === count) return grid.setGridOption("rowData", added);
    await pause();
    if (isWanted()) show(grid, ids, added);
  }

  // Cells that changed flash, as the grid compares them with what it drew.
  function show(grid, ids, added) {
    const removed = [];
    grid.forEachNode((node) => ids.has(node.id) || removed.push(node.data));
    for (const node of grid.getRenderedNodes()) node.updateData(node.data);
    if (added.length || removed.length) grid.applyTransaction({ add: added, remove: removed });
    grid.refreshClientSideRowModel("filter");
  }

  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ handOver }));
})();
