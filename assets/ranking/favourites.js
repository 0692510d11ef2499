// Favourites: kept in this browser by the metric's key, so that they outlive a new database; they stand first in
// every order.
(function () {
  "use strict";
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const SHELF = "favourites";
  /** @type {Set<string> | null} */
  let kept = null;

  function favourites() {
    if (kept) return kept;
    try {
      const stored = JSON.parse(localStorage.getItem(SHELF) || "[]");
      kept = new Set(Array.isArray(stored) ? stored.filter((key) => typeof key === "string") : []);
    } catch {
      kept = new Set(); // storage is forbidden, or holds something else; they then last until the tab closes
    }
    return kept;
  }

  const hasFavourites = () => favourites().size > 0;
  const isFavourite = (row) => favourites().has(row.key);

  async function toggleFavourite(row) {
    if (!favourites().delete(row.key)) favourites().add(row.key);
    try {
      localStorage.setItem(SHELF, JSON.stringify([...favourites()]));
    } catch {
      // see favourites
    }
    await showFavourites([row.id]);
  }

  async function showFavourites(rowIds) {
    const grid = await ranking.api();
    const rowNodes = rowIds && rowIds.map((id) => grid.getRowNode(id)).filter(Boolean);
    grid.refreshCells({ columns: ["star"], rowNodes, force: true });
    grid.refreshClientSideRowModel("sort");
    if (ranking.view().only) grid.onFilterChanged();
  }

  // Another tab of the same browser.
  window.addEventListener("storage", (event) => {
    if (event.key !== SHELF || !document.getElementById(window.trackerIds.grid)) return;
    kept = null;
    showFavourites();
  });

  // The grid hands over its rows as it sorted them, to be put in order in place.
  /** @type {Ranking["favouritesFirst"]} */
  function favouritesFirst({ nodes }) {
    if (!favourites().size) return;
    /** @type {typeof nodes[]} */
    const [first, others] = [[], []];
    for (const node of nodes) (isFavourite(node.data) ? first : others).push(node);
    if (first.length) first.concat(others).forEach((node, place) => (nodes[place] = node));
  }

  Object.assign(
    ranking,
    /** @satisfies {Partial<Ranking>} */ ({ hasFavourites, isFavourite, toggleFavourite, favouritesFirst }),
  );
})();
