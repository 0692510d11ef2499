// The history of alerts: its filters in the address, its pages, and which alert a dialog is about. Names come from
// outside, so they are handed on as text, never as markup.
(function () {
  "use strict";
  const nothing = () => window.dash_clientside.no_update;
  const FILTERS = ["q", "rule", "state", "span", "unseen", "page"];

  function keepInAddress(ask) {
    const address = new URL(window.location.href);
    for (const name of FILTERS) {
      const value = name === "page" && ask.page === 1 ? "" : ask[name];
      if (value) address.searchParams.set(name, value === true ? "1" : value);
      else address.searchParams.delete(name);
    }
    window.history.replaceState(window.history.state, "", address);
  }

  // The lists say "any", for an empty value is none to them.
  const ANY = "any";
  const chosenOf = (value) => (value === ANY || !value ? "" : value);

  // What the controls ask for, and whether there is nothing to clear.
  function askHistory(q, rule, state, span, unseen, known) {
    const ask = {
      q: (q || "").trim(),
      rule: chosenOf(rule),
      state: chosenOf(state),
      span: chosenOf(span),
      unseen: (unseen || []).length > 0,
      page: 1,
    };
    const isUnfiltered = FILTERS.every((name) => name === "page" || !ask[name]);
    if (FILTERS.every((name) => name === "page" || ask[name] === known[name])) return [nothing(), isUnfiltered];
    keepInAddress(ask);
    return [ask, isUnfiltered];
  }

  // A link to other filters, while the page is open.
  function readHistory(search, path) {
    const told = new URLSearchParams(search);
    const lists = ["rule", "state", "span"].map((name) => told.get(name) || ANY);
    return window.trackerPaths.within(path) === "/alerting"
      ? [told.get("q") || "", ...lists, told.get("unseen") ? ["unseen"] : []]
      : new Array(5).fill(nothing());
  }

  function turnHistory(action, asked) {
    if (!action || action.act !== "page") return nothing();
    const ask = { ...asked, page: Number(action.page) };
    keepInAddress(ask);
    return ask;
  }

  // The alert, or the alerts, that a dialog is about, and what it says of them.
  function openDialog() {
    const [{ value: chosen }] = window.dash_clientside.callback_context.triggered;
    const still = new Array(8).fill(nothing());
    if (!chosen) return still;
    if (chosen.act === "mute") {
      const words = chosen.name + ": its alerts are still recorded, and nobody is told of them.";
      return [chosen, ...still.slice(0, 3), true, words, "", ""];
    }
    if (chosen.act !== "acknowledge" && chosen.act !== "all") return still;
    const count = Number(chosen.count);
    const many = count === 1 ? "The one alert" : "All " + count.toLocaleString("en-US") + " alerts";
    const words =
      chosen.act === "all"
        ? many + " that the filters choose and nobody has acknowledged yet."
        : "The alert on " + chosen.name + ".";
    return [chosen, true, words, "", ...still.slice(4)];
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.tracker = Object.assign(window.dash_clientside.tracker || {}, {
    askHistory,
    openDialog,
    readHistory,
    turnHistory,
    unmute: (action) => (action && action.act === "unmute" ? action : nothing()),
    clearHistory: () => ["", ANY, ANY, ANY, []],
    closeDialogs: () => [false, false],
  });
})();
