// The comparison: its chart is updated like that of a metric, and Enter in its search takes the first result.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const { noUpdate, register } = window.trackerDash;

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || /** @type {Element} */ (event.target).id !== ids.compareSearch) return;
    /** @type {HTMLAnchorElement | null} */
    const first = document.querySelector("#" + ids.compareResults + " a");
    if (first) first.click();
  });

  register({
    requestComparisonUpdate: (/** @type {number | null} */ revision, /** @type {Figure | null} */ figure) =>
      window.trackerChart.requestUpdate(ids.compareChart, revision, figure),
    applyComparisonUpdate(/** @type {ChartUpdate | null} */ update) {
      window.trackerChart.applyUpdate(ids.compareChart, update);
      return noUpdate();
    },
  });
})();
