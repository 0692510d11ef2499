// Favourites: stored in this browser by the metric's key, so that they outlive a new database. They come first in every
// order.
(function () {
  "use strict";
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const STORAGE_KEY = "favourites";
  /** @type {Set<string> | null} */
  let cached = null;

  function favourites() {
    if (cached) return cached;
    try {
      const stored = JSON.parse(localStorage.getItem(STORAGE_KEY) || "[]");
      cached = new Set(Array.isArray(stored) ? stored.filter((key) => typeof key === "string") : []);
    } catch {
      cached = new Set(); // storage is forbidden or invalid: favourites then last until the tab closes
    }
    return cached;
  }

  const hasFavourites = () => favourites().size > 0;
  /** @type {Ranking["isFavourite"]} */
  const isFavourite = (row) => favourites().has(row.key);

  /** @type {Ranking["toggleFavourite"]} */
  async function toggleFavourite(row) {
    if (!favourites().delete(row.key)) favourites().add(row.key);
    try {
      localStorage.setItem(STORAGE_KEY, JSON.stringify([...favourites()]));
    } catch {
      // Storage can be forbidden.
    }
    await showFavourites([row.id]);
  }

  /** @param {string[]} [rowIds] those that changed; all rows without it */
  async function showFavourites(rowIds) {
    const grid = await ranking.gridApi();
    const rowNodes = rowIds && rowIds.map((id) => grid.getRowNode(id)).filter((node) => node !== undefined);
    grid.refreshCells({ columns: ["star"], rowNodes, force: true });
    grid.refreshClientSideRowModel("sort");
    if (ranking.view().only) grid.onFilterChanged();
  }

  // Another tab of the same browser changed them.
  window.addEventListener("storage", (event) => {
    if (event.key !== STORAGE_KEY || !document.getElementById(window.trackerIds.grid)) return;
    cached = null;
    showFavourites();
  });

  /**
   * Reorders the sorted rows in place.
   * @type {Ranking["favouritesFirst"]}
   */
  function favouritesFirst({ nodes }) {
    if (!favourites().size) return;
    /** @type {typeof nodes[]} */
    const [first, others] = [[], []];
    for (const node of nodes) (node.data && isFavourite(node.data) ? first : others).push(node);
    if (first.length) first.concat(others).forEach((node, place) => (nodes[place] = node));
  }

  Object.assign(
    ranking,
    /** @satisfies {Partial<Ranking>} */ ({ hasFavourites, isFavourite, toggleFavourite, favouritesFirst }),
  );
})();
