// What the viewer chose in the ranking, in one place: controls and grid report to it, and it updates the address and
// what is shown. The address is replaced, never added to, so that "back" leads to the page before.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const { register, setProps, triggeredIds } = window.trackerDash;
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const MAX_FRAMES = 120; // to wait for the columns of a new grid
  /** Names of the quick filters in the view. */
  const FILTERS = /** @type {const} */ (["q", "market", "quote", "only", "hide", "age", "window"]);
  const gridApi = () => window.dash_ag_grid.getApiAsync(ids.grid);
  const isHere = () => window.trackerPaths.within(location.pathname) === "/";
  const isOpen = () => isHere() && document.getElementById(ids.grid) !== null;

  let current = ranking.address.read("");
  let written = ""; // the query string of `current`
  let isByHistory = true; // the browser came here by its history or by an address, not by a link

  function writeAddress() {
    written = ranking.address.write(current);
    if (!isHere() || location.search === written) return;
    history.replaceState(history.state, "", location.pathname + written + location.hash);
    setProps(ids.location, { href: location.href, search: location.search }); // or dcc.Location would restore its own
  }

  // A new page shows the view of its address; after a link back to it, the view that it was left with.
  function restoreView() {
    if (location.search || isByHistory) current = ranking.address.read(location.search);
    writeAddress();
  }

  // All rows, by rank.
  const isDefaultView = () => ranking.address.write({ ...current, columns: null }) === "";

  /** @type {Ranking["recordView"]} */
  function recordView(change) {
    const names = /** @type {ViewName[]} */ (Object.keys(change)).filter(
      (name) => JSON.stringify(change[name]) !== JSON.stringify(current[name]),
    );
    if (!names.length) return [];
    current = { ...current, ...change };
    writeAddress();
    showReset();
    return names;
  }

  /** @type {Ranking["changeView"]} */
  function changeView(change) {
    const isReranked = change.by && change.by !== current.by;
    const names = recordView(isReranked ? { sort: ranking.address.DEFAULT_SORT, ...change } : change);
    if (names.length) gridApi().then((grid) => show(grid, names));
  }

  // ---- what shows each part of the view

  const applyFilters = (/** @type {Grid} */ grid) => grid.onFilterChanged();

  /** @param {Grid} grid */
  function applySort(grid) {
    const state = current.sort
      .filter((one) => columnNamed(grid, one.colId))
      .map((one, sortIndex) => ({ ...one, sortIndex }));
    grid.applyColumnState({ state: state.length ? state : ranking.address.DEFAULT_SORT, defaultState: { sort: null } });
  }

  /** @type {Record<ViewName, (grid: Grid) => void>} */
  const SHOW = {
    by: (grid) => {
      ranking.rerank();
      ranking.fitColumns(grid);
    },
    q: (grid) => grid.setGridOption("quickFilterText", current.q),
    market: applyFilters,
    quote: applyFilters,
    only: applyFilters,
    hide: applyFilters,
    age: applyFilters,
    window: applyFilters,
    where: (grid) => grid.setFilterModel(validFilters(grid)),
    sort: applySort,
    columns: (grid) => ranking.fitColumns(grid),
    view: () => ranking.showView(),
    size: () => ranking.drawMap(),
    colour: () => ranking.drawMap(),
  };
  const ALL = /** @type {ViewName[]} */ (Object.keys(SHOW));

  /**
   * @param {Grid} grid
   * @param {string[]} names
   */
  function show(grid, names) {
    for (const one of new Set(/** @type {ViewName[]} */ (names).map((name) => SHOW[name]))) one(grid);
  }

  /**
   * The grid's own look-up also finds what every object has, such as "constructor".
   * @param {Grid} grid
   * @param {string} name
   */
  const columnNamed = (grid, name) => (grid.getColumns() || []).find((column) => column.getColId() === name);

  /**
   * The column filters that the grid can apply: an address may name unknown columns, or filters of another type.
   * @param {Grid} grid
   */
  function validFilters(grid) {
    /** @type {Record<string, string>} */
    const types = { agTextColumnFilter: "text", agNumberColumnFilter: "number" };
    const filters = Object.entries(current.where).filter(
      ([name, filter]) => types[columnNamed(grid, name)?.getColDef().filter] === filter.filterType,
    );
    return Object.fromEntries(filters);
  }

  // ---- controls

  /**
   * Converts between the value of a control and that of the view. Dash types neither.
   * @typedef {{ read(value: any): any, write(value: any): unknown }} Conversion
   */
  /** @type {(name: string) => Conversion} */
  const flag = (name) => ({
    read: (value) => ((value || []).length ? name : ""),
    write: (value) => (value ? [name] : []),
  });
  /** @type {Conversion} */
  const plain = { read: (value) => value || "", write: (value) => value };
  /** @type {Conversion} */
  const orAll = { read: (value) => (value === ids.all ? "" : value || ""), write: (value) => value || ids.all }; // a list shows nothing for an empty value
  /** @type {Record<string, [ViewName, Conversion]>} */
  const CONTROLS = {
    [ids.rankBy]: ["by", plain],
    [ids.search]: ["q", plain],
    [ids.market]: ["market", orAll],
    [ids.quote]: ["quote", orAll],
    [ids.favourites]: ["only", flag("favourites")],
    [ids.stablecoins]: ["hide", flag("stablecoins")],
    [ids.fullOnly]: ["window", flag("full")],
    [ids.view]: ["view", plain],
    [ids.mapSize]: ["size", plain],
    [ids.mapColour]: ["colour", plain],
  };

  /**
   * Called with the values of all controls. Only the changed ones count: the others may not have the address's values yet.
   * @param {unknown[]} values
   */
  function choose(...values) {
    const changed = triggeredIds();
    /** @type {Record<string, unknown>} */
    const change = {};
    window.dash_clientside.callback_context.inputs_list.forEach(({ id }, index) => {
      const [name, conversion] = CONTROLS[id];
      if (changed.includes(id)) change[name] = conversion.read(values[index]);
    });
    changeView(change);
  }

  function setControls() {
    ranking.setFilterOptions();
    for (const [id, [name, conversion]] of Object.entries(CONTROLS))
      setProps(id, { value: conversion.write(current[name]) });
  }

  function showReset() {
    const filters = FILTERS.filter((name) => current[name]).length + Object.keys(current.where).length;
    setProps(ids.reset, { className: "text-button" + (filters || current.columns ? "" : " is-hidden") });
    setProps(ids.filterCount, { children: filters ? String(filters) : "" });
    ranking.showStale(current.age !== "");
  }

  /**
   * Removes filters and chosen columns. The ranking's measure and the view stay.
   * @param {number | null} clicks
   */
  function reset(clicks) {
    if (!clicks) return;
    changeView({ q: "", market: "", quote: "", only: "", hide: "", age: "", window: "", where: {}, columns: null });
    setControls();
  }

  // ---- a new grid

  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));

  /** @param {Grid} grid */
  async function hasColumns(grid) {
    for (let frames = 0; frames < MAX_FRAMES && !(grid.getColumns() || []).length; frames++) await frame();
  }

  /** @type {Ranking["setUpGrid"]} */
  async function setUpGrid() {
    setControls();
    showReset();
    ranking.showView();
    ranking.recountAlerts();
    const grid = await gridApi();
    await hasColumns(grid);
    ranking.setUpFilters(grid);
    grid.setGridOption("postSortRows", ranking.favouritesFirst);
    const onRows = () => {
      ranking.countRows(grid);
      ranking.drawMap();
      ranking.fetchSparklines();
    };
    grid.addEventListener("modelUpdated", onRows);
    grid.addEventListener("viewportChanged", ranking.fetchSparklines);
    grid.addEventListener("displayedColumnsChanged", ranking.fetchSparklines);
    show(
      grid,
      ALL.filter((name) => name !== "by" && name !== "view"),
    );
    onRows();
  }

  window.addEventListener("popstate", () => {
    isByHistory = true;
    if (!isOpen() || location.search === written) return;
    restoreView();
    setControls();
    showReset();
    gridApi().then((grid) => show(grid, ALL));
  });
  window.addEventListener("_dashprivate_pushstate", () => {
    isByHistory = false;
    if (isOpen()) writeAddress(); // a link to this page itself
  });

  const view = () => current;
  Object.assign(
    ranking,
    /** @satisfies {Partial<Ranking>} */ ({
      gridApi,
      restoreView,
      isDefaultView,
      setUpGrid,
      recordView,
      changeView,
      view,
    }),
  );
  register({ choose, reset });
})();
