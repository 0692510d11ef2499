// The view as the address tells it: what is ranked by, filtered, sorted and shown. A link reproduces the view;
// what an address says that makes no sense counts as not said.
(function () {
  "use strict";
  const LONGEST = 100; // characters of a name or a search
  const MAX_CONDITIONS = 5; // of one column

  // The first of each is the default, and left out of the address.
  const CHOICES = {
    by: ["stdev", "volatility", "log_volatility", "range_1h", "range_24h", "change_24h", "volume"],
    only: ["", "favourites"],
    hide: ["", "stablecoins"],
    age: ["", "stale"],
    window: ["", "full"],
    view: ["table", "map", "both"],
    size: ["volume", "volatility", "equal"],
    colour: ["change_24h", "change_1h", "volatility"],
  };
  const USUAL_BY = CHOICES.by[0];
  const TEXTS = ["q", "market", "quote"];
  /** @type {Sort} */
  const USUAL_SORT = [{ colId: "rank", sort: "asc" }];
  const TYPES = {
    text: ["contains", "notContains", "equals", "notEqual", "startsWith", "endsWith", "blank", "notBlank"],
    number: [
      "equals",
      "notEqual",
      "greaterThan",
      "greaterThanOrEqual",
      "lessThan",
      "lessThanOrEqual",
      "inRange",
      "blank",
      "notBlank",
    ],
  };

  const isName = (text) => /^[a-z0-9_]{1,40}$/.test(text);
  const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

  // sort=price.desc,rank.asc
  function sortOf(text) {
    const found = [];
    for (const part of (text || "").split(",")) {
      const [colId, sort] = part.split(".");
      if (isName(colId) && ["asc", "desc"].includes(sort) && !found.some((one) => one.colId === colId))
        found.push({ colId, sort });
    }
    return found.length ? found : USUAL_SORT;
  }

  const sortText = (sort) => sort.map((one) => one.colId + "." + one.sort).join(",");

  function columnsOf(text) {
    const names = [...new Set((text || "").split(",").filter(isName))];
    return names.length ? names : null; // null: those that fit the window
  }

  // A condition as the grid's own filters make them; null for what they could not have made.
  function condition(given, kind) {
    if (!isObject(given) || given.filterType !== kind || !TYPES[kind].includes(given.type)) return null;
    const made = { filterType: kind, type: given.type };
    if (given.type === "blank" || given.type === "notBlank") return made;
    const fits = (value) =>
      kind === "number" ? Number.isFinite(value) : typeof value === "string" && value.length <= LONGEST;
    if (!fits(given.filter)) return null;
    made.filter = given.filter;
    if (given.type === "inRange") {
      if (!fits(given.filterTo)) return null;
      made.filterTo = given.filterTo;
    }
    return made;
  }

  function columnFilter(given) {
    if (!isObject(given) || !(given.filterType in TYPES)) return null;
    if (given.operator === undefined) return condition(given, given.filterType);
    if (!["AND", "OR"].includes(given.operator) || !Array.isArray(given.conditions)) return null;
    const conditions = given.conditions.slice(0, MAX_CONDITIONS).map((one) => condition(one, given.filterType));
    if (conditions.length < 2 || conditions.includes(null)) return null;
    return { filterType: given.filterType, operator: given.operator, conditions };
  }

  // where={"price":{"filterType":"number","type":"greaterThan","filter":5}}, the grid's own filter model
  function whereOf(text) {
    let given;
    try {
      given = JSON.parse(text || "{}");
    } catch {
      return {}; // mangled on its way, or made up
    }
    if (!isObject(given)) return {};
    const filters = Object.entries(given).map(([name, filter]) => [name, isName(name) ? columnFilter(filter) : null]);
    return Object.fromEntries(filters.filter(([, filter]) => filter));
  }

  /** @type {Ranking["address"]["read"]} */
  function read(search) {
    const given = new URLSearchParams(search);
    /** @type {any} filled below */
    const view = {
      sort: sortOf(given.get("sort")),
      columns: columnsOf(given.get("columns")),
      where: whereOf(given.get("where")),
    };
    for (const name of TEXTS) view[name] = (given.get(name) || "").slice(0, LONGEST);
    for (const [name, choices] of Object.entries(CHOICES)) {
      const choice = given.get(name) || "";
      view[name] = choices.includes(choice) ? choice : choices[0];
    }
    return view;
  }

  // The query string of a view, "" for the one that everybody begins with.
  /** @type {Ranking["address"]["write"]} */
  function write(view) {
    const told = new URLSearchParams();
    for (const [name, choices] of Object.entries(CHOICES)) if (view[name] !== choices[0]) told.set(name, view[name]);
    for (const name of TEXTS) if (view[name]) told.set(name, view[name]);
    if (sortText(view.sort) !== sortText(USUAL_SORT)) told.set("sort", sortText(view.sort));
    if (view.columns) told.set("columns", view.columns.join(","));
    if (Object.keys(view.where).length) told.set("where", JSON.stringify(view.where));
    const text = told.toString().replaceAll("%2C", ",");
    return text && "?" + text;
  }

  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const address = { read, write, USUAL_BY, USUAL_SORT };
  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ address }));
})();
