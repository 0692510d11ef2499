// What the viewer made of the ranking, in one place: controls and grid report to it, it writes the address, and
// tells those that show it. The address is replaced, never added to, so that "back" leads to the page before.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const api = () => window.dash_ag_grid.getApiAsync(ids.grid);
  const isHere = () => window.trackerPaths.within(location.pathname) === "/";
  const isOpen = () => isHere() && document.getElementById(ids.grid) !== null;

  let current = ranking.address.read("");
  let written = ""; // the query string of `current`
  let byHistory = true; // whether the browser came here by its history, or by an address, rather than by a link

  function write() {
    written = ranking.address.write(current);
    if (!isHere() || location.search === written) return;
    history.replaceState(history.state, "", location.pathname + written + location.hash);
    window.dash_clientside.set_props(ids.location, { href: location.href, search: location.search }); // or it goes back to what it knows
  }

  // The page begins: with what its address says, or, where a link led back to it, with what it was left as.
  function begin() {
    if (location.search || byHistory) current = ranking.address.read(location.search);
    write();
  }

  const differs = (left, right) => JSON.stringify(left) !== JSON.stringify(right);

  // Whether the rows are all there are, by rank.
  const isUsual = () => ranking.address.write({ ...current, columns: null }) === "";

  // What grid or control shows already.
  function note(partial) {
    const names = Object.keys(partial).filter((name) => differs(partial[name], current[name]));
    if (!names.length) return [];
    current = Object.assign({}, current, partial);
    write();
    tellReset();
    return names;
  }

  function change(partial) {
    const ranksAnew = partial.by && partial.by !== current.by;
    const names = note(ranksAnew ? Object.assign({ sort: ranking.address.USUAL_SORT }, partial) : partial);
    if (names.length) api().then((grid) => show(grid, names));
  }

  const SHOWERS = {
    by: (grid) => {
      ranking.rankAnew();
      ranking.fit(grid);
    },
    q: (grid) => grid.setGridOption("quickFilterText", current.q),
    market: (grid) => grid.onFilterChanged(),
    quote: (grid) => grid.onFilterChanged(),
    only: (grid) => grid.onFilterChanged(),
    hide: (grid) => grid.onFilterChanged(),
    age: (grid) => grid.onFilterChanged(),
    window: (grid) => grid.onFilterChanged(),
    where: (grid) => grid.setFilterModel(known(grid, current.where)),
    sort: (grid) => {
      const state = current.sort
        .filter((one) => columnNamed(grid, one.colId))
        .map((one, sortIndex) => ({ ...one, sortIndex }));
      grid.applyColumnState({ state: state.length ? state : ranking.address.USUAL_SORT, defaultState: { sort: null } });
    },
    columns: (grid) => ranking.fit(grid),
    view: () => ranking.showParts(),
    size: () => ranking.drawMap(),
    colour: () => ranking.drawMap(),
  };

  function show(grid, names) {
    for (const one of new Set(names.map((name) => SHOWERS[name]))) one(grid);
  }

  // The grid's own look-up also finds what every object has, as "constructor".
  const columnNamed = (grid, name) => grid.getColumns().find((column) => column.getColId() === name);

  // An address may name columns that there are not, or that have no filter of that kind.
  function known(grid, where) {
    const kinds = { agTextColumnFilter: "text", agNumberColumnFilter: "number" };
    const fits = ([name, filter]) => kinds[columnNamed(grid, name)?.getColDef().filter] === filter.filterType;
    return Object.fromEntries(Object.entries(where).filter(fits));
  }

  // ---- controls
  const flag = (name) => ({
    read: (value) => ((value || []).length ? name : ""),
    write: (value) => (value ? [name] : []),
  });
  const plain = { read: (value) => value || "", write: (value) => value };
  // A list shows nothing for an empty value, so that "all" has one of its own there.
  const orAll = { read: (value) => (value === ids.all ? "" : value || ""), write: (value) => value || ids.all };
  /** @type {Record<string, [keyof RankingView, { read(value: any): any, write(value: any): unknown }]>} */
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

  // Called for every control: only those that were moved speak, for the others may not know the address yet.
  function choose(...values) {
    const inputs = window.dash_clientside.callback_context.inputs_list;
    const moved = new Set(window.dash_clientside.callback_context.triggered.map((one) => one.prop_id.split(".")[0]));
    const partial = {};
    inputs.forEach((input, place) => {
      const [name, kind] = CONTROLS[input.id];
      if (moved.has(input.id)) partial[name] = kind.read(values[place]);
    });
    change(partial);
  }

  function setControls() {
    ranking.offerChoices();
    for (const [id, [name, kind]] of Object.entries(CONTROLS))
      window.dash_clientside.set_props(id, { value: kind.write(current[name]) });
  }

  function tellReset() {
    const filters =
      ["q", "market", "quote", "only", "hide", "age", "window"].filter((name) => current[name]).length +
      Object.keys(current.where).length;
    window.dash_clientside.set_props(ids.reset, {
      className: "text-button" + (filters || current.columns ? "" : " is-hidden"),
    });
    window.dash_clientside.set_props(ids.filterCount, { children: filters ? filters + "" : "" });
    ranking.showStale(current.age !== "");
  }

  // Takes filters and chosen columns away; what is ranked by and how it is shown stays.
  function reset(clicks) {
    if (!clicks) return;
    change({ q: "", market: "", quote: "", only: "", hide: "", age: "", window: "", where: {}, columns: null });
    setControls();
  }

  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));

  // A new grid: give it what the view says, once it has its columns.
  async function settle() {
    setControls();
    tellReset();
    ranking.showParts();
    ranking.recountAlerts();
    const grid = await api();
    for (let tries = 0; tries < 120 && !(grid.getColumns() || []).length; tries++) await frame();
    ranking.setUpFilters(grid);
    grid.setGridOption("postSortRows", ranking.favouritesFirst);
    const rowsChanged = () => {
      ranking.countRows(grid);
      ranking.drawMap();
      ranking.askForLines();
    };
    grid.addEventListener("modelUpdated", rowsChanged);
    for (const event of ["viewportChanged", "displayedColumnsChanged"])
      grid.addEventListener(/** @type {"viewportChanged"} */ (event), ranking.askForLines);
    show(
      grid,
      Object.keys(SHOWERS).filter((name) => name !== "by" && name !== "view"),
    );
    rowsChanged();
  }

  window.addEventListener("popstate", () => {
    byHistory = true;
    if (!isOpen() || location.search === written) return;
    begin();
    setControls();
    tellReset();
    api().then((grid) => show(grid, Object.keys(SHOWERS)));
  });
  window.addEventListener("_dashprivate_pushstate", () => {
    byHistory = false;
    if (isOpen()) write(); // the link to where one is already
  });

  Object.assign(
    ranking,
    /** @satisfies {Partial<Ranking>} */ ({ api, begin, isUsual, settle, note, change, view: () => current }),
  );
  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.tracker = Object.assign(window.dash_clientside.tracker || {}, { choose, reset });
})();
