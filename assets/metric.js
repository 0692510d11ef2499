// The arrow keys lead to the metrics ranked before and after the one on the page.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const WAYS = { ArrowLeft: ids.previous, ArrowRight: ids.next };
  const OWN_ARROWS = "input, textarea, select, [contenteditable], [role='radio'], .js-plotly-plot, .table-frame";

  document.addEventListener("keydown", (event) => {
    const link = WAYS[event.key] && document.getElementById(WAYS[event.key]);
    if (!link || link.tagName !== "A" || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const target = /** @type {Element} */ (event.target);
    if (target.closest && target.closest(OWN_ARROWS)) return;
    event.preventDefault();
    link.click();
  });
})();
