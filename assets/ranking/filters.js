// The filters above the table, the search, the count of rows, and the notice when no row matches.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const notation = window.trackerNotation;
  const { noUpdate, register, registerGridFunctions, setProps } = window.trackerDash;
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  let offered = ""; // the options of the two lists, as set last

  /** @param {Row} row */
  function passes(row) {
    const { market, quote, only, hide, age, window: full } = ranking.view();
    if ((age && !row.stale) || (full && !row.full)) return false;
    if ((market && row.market !== market) || (quote && row.quote !== quote)) return false;
    if (hide && ranking.isStable(row.base, row.quote)) return false;
    return !only || ranking.isFavourite(row);
  }

  /** @type {Ranking["setUpFilters"]} */
  function setUpFilters(grid) {
    grid.setGridOption("isExternalFilterPresent", () => {
      const { market, quote, only, hide, age, window: full } = ranking.view();
      return Boolean(market || quote || only || hide || age || full);
    });
    grid.setGridOption("doesExternalFilterPass", ({ data }) => Boolean(data) && passes(/** @type {Row} */ (data)));
  }

  /**
   * Sets the options of the lists: the markets and quotes of the metrics, and those of the address even if no metric has
   * them.
   * @type {Ranking["setFilterOptions"]}
   */
  function setFilterOptions(metrics) {
    const options = (/** @type {"market" | "quote"} */ name, /** @type {string} */ all) => {
      const names = new Set((metrics || []).map((metric) => metric[name]));
      if (ranking.view()[name]) names.add(ranking.view()[name]);
      return [{ label: all, value: ids.all }, ...[...names].sort().map((one) => ({ label: one, value: one }))];
    };
    const [markets, quotes] = [options("market", "All markets"), options("quote", "All quotes")];
    const next = JSON.stringify([markets, quotes]);
    if (metrics && next === offered) return;
    offered = next;
    setProps(ids.market, { options: markets });
    setProps(ids.quote, { options: quotes });
  }

  /** @type {Ranking["countRows"]} */
  function countRows(grid) {
    const count = document.getElementById(ids.count);
    if (!count) return;
    let all = 0;
    grid.forEachNode(() => all++);
    const matching = grid.getDisplayedRowCount();
    const text = matching === all ? "" : notation.wholeText(matching) + " of " + notation.wholeText(all);
    if (count.textContent !== text) count.textContent = text;
    const isHidden = !all || matching;
    const className = "no-match" + (isHidden ? " is-hidden" : "") + (ranking.view().only ? " is-favourites" : "");
    const notice = /** @type {HTMLElement} */ (document.getElementById(ids.noMatch));
    if (notice.className !== className) setProps(ids.noMatch, { className });
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
      setProps(ids.search, { value: "" });
    }
  });

  /**
   * In a narrow window the filters are in a drawer.
   * @param {number | null} clicks
   * @param {string} className
   */
  function drawer(clicks, className) {
    if (!clicks) return noUpdate();
    return className.includes("is-open") ? "filters" : "filters is-open";
  }

  registerGridFunctions({
    noText: () => "",
    quickText: (/** @type {{ data: Row }} */ { data }) => data.pair + " " + data.base + data.quote + " " + data.market,
  });

  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ setUpFilters, setFilterOptions, countRows }));
  register({ drawer });
})();
