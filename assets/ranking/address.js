// The ranking's view in the address: what it ranks by, filters, sorts and shows. A link reproduces the view; invalid
// values count as not given.
(function () {
  "use strict";
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const MAX_TEXT = 100; // characters of a name or a search
  const MAX_CONDITIONS = 5; // of one column

  /** @type {RankedBy} */
  const DEFAULT_BY = "stdev";
  /** The first choice of each is the default, which is left out of the address. */
  const CHOICES = {
    by: [DEFAULT_BY, "volatility", "log_volatility", "range_1h", "range_24h", "change_24h", "volume"],
    only: ["", "favourites"],
    hide: ["", "stablecoins"],
    age: ["", "stale"],
    window: ["", "full"],
    view: ["table", "map", "both"],
    size: ["volume", "volatility", "equal"],
    colour: ["change_24h", "change_1h", "volatility"],
  };
  const CHOICE_NAMES = /** @type {(keyof typeof CHOICES)[]} */ (Object.keys(CHOICES));
  /** @type {("q" | "market" | "quote")[]} */
  const TEXTS = ["q", "market", "quote"];
  /** @type {Sort} */
  const DEFAULT_SORT = [{ colId: "rank", sort: "asc" }];
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

  const isName = (/** @type {string} */ text) => /^[a-z0-9_]{1,40}$/.test(text);
  /**
   * @param {unknown} value
   * @returns {value is Record<string, unknown>}
   */
  const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

  /**
   * Reads `price.desc,rank.asc`.
   * @param {string | null} text
   */
  function readSort(text) {
    /** @type {Sort} */
    const found = [];
    for (const part of (text || "").split(",")) {
      const [colId, sort] = part.split(".");
      if (sort !== "asc" && sort !== "desc") continue;
      if (isName(colId) && !found.some((one) => one.colId === colId)) found.push({ colId, sort });
    }
    return found.length ? found : DEFAULT_SORT;
  }

  /** @param {Sort} sort */
  const sortText = (sort) => sort.map((one) => one.colId + "." + one.sort).join(",");

  /**
   * The chosen columns; null for those that fit the window.
   * @param {string | null} text
   */
  function readColumns(text) {
    const names = [...new Set((text || "").split(",").filter(isName))];
    return names.length ? names : null;
  }

  /**
   * A condition as the grid's own filters make them; null if they could not have made it.
   * @param {unknown} given
   * @param {ColumnFilter["filterType"]} kind
   * @returns {ColumnFilter | null}
   */
  function readCondition(given, kind) {
    if (!isObject(given) || given.filterType !== kind) return null;
    const type = String(given.type);
    if (!TYPES[kind].includes(type)) return null;
    if (type === "blank" || type === "notBlank") return { filterType: kind, type };
    const { filter, filterTo } = /** @type {ColumnFilter} */ (/** @type {unknown} */ (given));
    const isValid = (/** @type {unknown} */ value) =>
      kind === "number" ? Number.isFinite(value) : typeof value === "string" && value.length <= MAX_TEXT;
    if (!isValid(filter)) return null;
    if (type !== "inRange") return { filterType: kind, type, filter };
    return isValid(filterTo) ? { filterType: kind, type, filter, filterTo } : null;
  }

  /**
   * @param {unknown} given
   * @returns {ColumnFilter | null}
   */
  function readColumnFilter(given) {
    if (!isObject(given) || (given.filterType !== "text" && given.filterType !== "number")) return null;
    const { filterType, operator } = given;
    if (operator === undefined) return readCondition(given, filterType);
    if ((operator !== "AND" && operator !== "OR") || !Array.isArray(given.conditions)) return null;
    const conditions = given.conditions.slice(0, MAX_CONDITIONS).map((one) => readCondition(one, filterType));
    const valid = conditions.filter((one) => one !== null);
    return valid.length < 2 || valid.length < conditions.length ? null : { filterType, operator, conditions: valid };
  }

  /**
   * Reads the grid's own filter model: `{"price":{"filterType":"number","type":"greaterThan","filter":5}}`.
   * @param {string | null} text
   */
  function readColumnFilters(text) {
    /** @type {Record<string, ColumnFilter>} */
    const filters = {};
    let given;
    try {
      given = JSON.parse(text || "{}");
    } catch {
      return filters; // invalid JSON counts as not given
    }
    if (!isObject(given)) return filters;
    for (const [name, value] of Object.entries(given)) {
      const filter = isName(name) ? readColumnFilter(value) : null;
      if (filter) filters[name] = filter;
    }
    return filters;
  }

  /** @type {Ranking["address"]["read"]} */
  function read(search) {
    const given = new URLSearchParams(search);
    /** @type {Record<string, unknown>} */
    const view = {
      sort: readSort(given.get("sort")),
      columns: readColumns(given.get("columns")),
      where: readColumnFilters(given.get("where")),
    };
    for (const name of TEXTS) view[name] = (given.get(name) || "").slice(0, MAX_TEXT);
    for (const name of CHOICE_NAMES) {
      const choice = given.get(name) || "";
      view[name] = CHOICES[name].includes(choice) ? choice : CHOICES[name][0];
    }
    return /** @type {RankingView} */ (/** @type {unknown} */ (view));
  }

  /** @type {Ranking["address"]["write"]} */
  function write(view) {
    const query = new URLSearchParams();
    for (const name of CHOICE_NAMES) if (view[name] !== CHOICES[name][0]) query.set(name, view[name]);
    for (const name of TEXTS) if (view[name]) query.set(name, view[name]);
    if (sortText(view.sort) !== sortText(DEFAULT_SORT)) query.set("sort", sortText(view.sort));
    if (view.columns) query.set("columns", view.columns.join(","));
    if (Object.keys(view.where).length) query.set("where", JSON.stringify(view.where));
    const text = query.toString().replaceAll("%2C", ",");
    return text && "?" + text;
  }

  const address = { read, write, DEFAULT_BY, DEFAULT_SORT };
  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ address }));
})();
