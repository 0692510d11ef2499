// The comparison's chart grows as a metric's does; Enter in its search takes the first that was found.
(function () {
  "use strict";
  const ids = window.trackerIds;

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || /** @type {Element} */ (event.target).id !== ids.compareSearch) return;
    /** @type {HTMLAnchorElement | null} */
    const first = document.querySelector("#" + ids.compareResults + " a");
    if (first) first.click();
  });

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.tracker = Object.assign(window.dash_clientside.tracker || {}, {
    askCompared: (revision, figure) => window.trackerChart.askFor(ids.compareChart, revision, figure),
    growCompared(update) {
      window.trackerChart.growPlot(ids.compareChart, update);
      return window.dash_clientside.no_update;
    },
  });
})();
