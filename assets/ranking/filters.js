// Which rows pass: the quick filters beside the grid's own, the search, and what is said when none passes.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const notation = window.trackerNotation;
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  let offered = ""; // the choices of the two lists, as they were last given

  function setUpFilters(grid) {
    grid.setGridOption("isExternalFilterPresent", () => {
      const { market, quote, only, hide, age, window: full } = ranking.view();
      return Boolean(market || quote || only || hide || age || full);
    });
    grid.setGridOption("doesExternalFilterPass", ({ data }) => {
      const { market, quote, only, hide, age, window: full } = ranking.view();
      if ((age && !data.stale) || (full && !data.full)) return false;
      if (market && data.market !== market) return false;
      if (quote && data.quote !== quote) return false;
      if (hide && ranking.isStable(data.base, data.quote)) return false;
      return !only || ranking.isFavourite(data);
    });
  }

  // The lists offer what there is, and what the address asked for even where there is none of it.
  function offerChoices(metrics) {
    const choices = (name, all) => {
      const names = new Set((metrics || []).map((metric) => metric[name]));
      if (ranking.view()[name]) names.add(ranking.view()[name]);
      return [{ label: all, value: ids.all }, ...[...names].sort().map((one) => ({ label: one, value: one }))];
    };
    const [markets, quotes] = [choices("market", "All markets"), choices("quote", "All quotes")];
    const next = JSON.stringify([markets, quotes]);
    if (metrics && next === offered) return;
    offered = next;
    window.dash_clientside.set_props(ids.market, { options: markets });
    window.dash_clientside.set_props(ids.quote, { options: quotes });
  }

  function countRows(grid) {
    const place = document.getElementById(ids.count);
    if (!place) return;
    let all = 0;
    grid.forEachNode(() => all++);
    const left = grid.getDisplayedRowCount();
    const text = left === all ? "" : notation.wholeText(left) + " of " + notation.wholeText(all);
    if (place.textContent !== text) place.textContent = text;
    const look = "no-match" + (all && !left ? "" : " is-hidden") + (ranking.view().only ? " is-favourites" : "");
    const words = /** @type {HTMLElement} */ (document.getElementById(ids.noMatch));
    if (words.className !== look) window.dash_clientside.set_props(ids.noMatch, { className: look });
  }

  document.addEventListener("keydown", (event) => {
    const field = /** @type {HTMLInputElement | null} */ (document.getElementById(ids.search));
    if (!field) return;
    const target = /** @type {Element} */ (event.target);
    if (event.key === "/" && !target.closest("input, textarea, select, [contenteditable]")) {
      event.preventDefault();
      field.focus();
      field.select();
    } else if (event.key === "Escape" && event.target === field && field.value) {
      window.dash_clientside.set_props(ids.search, { value: "" });
    }
  });

  // The filters of a narrow window lie in a drawer.
  function drawer(clicks, look) {
    if (!clicks) return window.dash_clientside.no_update;
    return look.includes("is-open") ? "filters" : "filters is-open";
  }

  const functions = (window.dashAgGridFunctions = window.dashAgGridFunctions || {});
  Object.assign(functions, {
    noText: () => "",
    quickText: (params) => params.data.pair + " " + params.data.base + params.data.quote + " " + params.data.market,
  });

  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ setUpFilters, offerChoices, countRows }));
  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.tracker = Object.assign(window.dash_clientside.tracker || {}, { drawer });
})();
