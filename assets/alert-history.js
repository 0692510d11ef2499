// The history of alerts: its filters in the address, its pages, and which alert a dialog is about. Names come from
// outside, so they are handed on as text, never as markup.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const nothing = () => window.dash_clientside.no_update;
  const FILTERS = ["q", "rule", "state", "span", "unseen", "page"];

  /** @type {Record<string, any> | null} */
  let asked = null; // what the page shows at present

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

  function askHistory(q, rule, state, span, unseen, known) {
    const ask = { q: (q || "").trim(), rule: chosenOf(rule), state: chosenOf(state), span: chosenOf(span), unseen: (unseen || []).length > 0, page: 1 };
    asked = asked || known;
    if (window.dash_clientside.callback_context.triggered.length === 0) asked = known;
    if (FILTERS.every((name) => name === "page" || ask[name] === known[name])) return nothing();
    asked = ask;
    keepInAddress(ask);
    return ask;
  }

  // A link to other filters, while the page is open.
  function readHistory(search, path) {
    const told = new URLSearchParams(search);
    const lists = ["rule", "state", "span"].map((name) => told.get(name) || ANY);
    return path === "/alerting" ? [told.get("q") || "", ...lists, told.get("unseen") ? ["unseen"] : []] : new Array(5).fill(nothing());
  }

  function chooseAll(clicks, shown) {
    return clicks && shown ? { act: "all", newest: shown.newest, count: shown.unseen, at: Date.now() } : nothing();
  }

  function openDialog(chosen) {
    const still = new Array(7).fill(nothing());
    if (!chosen || chosen.act === "unmute") return still;
    if (chosen.act === "mute") {
      const words = chosen.name + ": its alerts are still recorded, and nobody is told of them.";
      return [...still.slice(0, 3), true, words, "", ""];
    }
    const many = chosen.count === 1 ? "The one alert" : "All " + chosen.count.toLocaleString("en-US") + " alerts";
    const words = chosen.act === "all" ? many + " that the filters choose and nobody has acknowledged yet." : "The alert on " + chosen.name + ".";
    return [true, words, "", ...still.slice(3)];
  }

  document.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    const button = /** @type {HTMLElement | null} */ (target.closest("[data-alert-act]"));
    if (button) {
      const told = button.dataset;
      const chosen = { act: told.alertAct, number: told.alertNumber, metric: told.alertMetric, name: told.alertName, count: 1, at: Date.now() };
      window.dash_clientside.set_props(ids.historyChosen, { data: chosen });
      return;
    }
    const turn = /** @type {HTMLElement | null} */ (target.closest("[data-history-page]"));
    if (!turn || !asked) return;
    asked = Object.assign({}, asked, { page: Number(turn.dataset.historyPage) });
    keepInAddress(asked);
    window.dash_clientside.set_props(ids.historyAsk, { data: asked });
  });

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.tracker = Object.assign(window.dash_clientside.tracker || {}, {
    askHistory, chooseAll, openDialog,
    readHistory,
    clearHistory: () => ["", ANY, ANY, ANY, []],
    closeDialogs: () => [false, false],
  });
})();
