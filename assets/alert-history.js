// The alert history: its filters, which are in the address, its pages, and its dialogs. Names come from outside: they
// are passed on as text, never as markup.
(function () {
  "use strict";
  const { noUpdate, register } = window.trackerDash;
  /** @type {(keyof HistoryQuery)[]} */
  const FILTERS = ["q", "rule", "state", "span", "unseen"];
  const ANY = "any"; // in a list, which shows nothing for an empty value
  const DIALOG_OUTPUTS = 8; // of openDialog, in the order of callbacks/alert_history.py

  /** @param {HistoryQuery} query */
  function writeAddress(query) {
    const address = new URL(window.location.href);
    for (const name of [...FILTERS, /** @type {const} */ ("page")]) {
      const value = name === "page" && query.page === 1 ? "" : query[name];
      if (value) address.searchParams.set(name, value === true ? "1" : String(value));
      else address.searchParams.delete(name);
    }
    window.history.replaceState(window.history.state, "", address);
  }

  /** @param {string | null} value */
  const listValue = (value) => (value === ANY || !value ? "" : value);

  /**
   * The query that the controls ask for, and whether there is nothing to clear.
   * @param {[string | null, string | null, string | null, string | null, string[] | null, HistoryQuery]} inputs
   */
  function filterHistory(...inputs) {
    const [search, rule, state, span, onlyUnacknowledged, current] = inputs;
    /** @type {HistoryQuery} */
    const query = {
      q: (search || "").trim(),
      rule: listValue(rule),
      state: listValue(state),
      span: listValue(span),
      ["unseen"]: (onlyUnacknowledged || []).length > 0,
      page: 1,
    };
    const isUnfiltered = FILTERS.every((name) => !query[name]);
    if (FILTERS.every((name) => query[name] === current[name])) return [noUpdate(), isUnfiltered];
    writeAddress(query);
    return [query, isUnfiltered];
  }

  /**
   * Sets the controls when a link leads to other filters while the page is open.
   * @param {string} search
   * @param {string} path
   */
  function readHistory(search, path) {
    const parameters = new URLSearchParams(search);
    const lists = ["rule", "state", "span"].map((name) => parameters.get(name) || ANY);
    return window.trackerPaths.within(path) === "/alerting"
      ? [parameters.get("q") || "", ...lists, parameters.get("unseen") ? ["unseen"] : []]
      : new Array(5).fill(noUpdate());
  }

  /**
   * @param {MarkupAction | null} action
   * @param {HistoryQuery} current
   */
  function turnHistoryPage(action, current) {
    if (!action || action.act !== "page") return noUpdate();
    const query = { ...current, page: Number(action.page) };
    writeAddress(query);
    return query;
  }

  /** @param {MarkupAction} action */
  function acknowledgeText({ act, count, name }) {
    if (act !== "all") return "The alert on " + name + ".";
    const many = Number(count) === 1 ? "The one alert" : "All " + Number(count).toLocaleString("en-US") + " alerts";
    return many + " that the filters choose and nobody has acknowledged yet.";
  }

  // Opens the dialog that acknowledges alerts or mutes them.
  function openDialog() {
    /** @type {{ value?: MarkupAction | null }[]} */
    const [{ value: action }] = window.dash_clientside.callback_context.triggered;
    const unchanged = new Array(DIALOG_OUTPUTS).fill(noUpdate());
    if (!action) return unchanged;
    if (action.act === "mute") {
      const text = action.name + ": its alerts are still recorded, but nobody is notified.";
      return [action, ...unchanged.slice(0, 3), true, text, "", ""];
    }
    if (action.act !== "acknowledge" && action.act !== "all") return unchanged;
    return [action, true, acknowledgeText(action), "", ...unchanged.slice(4)];
  }

  register({
    filterHistory,
    openDialog,
    readHistory,
    turnHistoryPage,
    unmute: (/** @type {MarkupAction | null} */ action) => (action && action.act === "unmute" ? action : noUpdate()),
    clearHistory: () => ["", ANY, ANY, ANY, []],
    closeDialogs: () => [false, false],
  });
})();
