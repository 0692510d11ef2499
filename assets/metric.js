// The arrow keys lead to the metrics ranked before and after the one on the page.
(function () {
  "use strict";
  const ids = window.trackerIds;
  /** @type {Record<string, string>} */
  const LINKS = { ArrowLeft: ids.previous, ArrowRight: ids.next };
  const OWN_ARROWS = "input, textarea, select, [contenteditable], [role='radio'], .js-plotly-plot, .table-frame";

  document.addEventListener("keydown", (event) => {
    const link = LINKS[event.key] && document.getElementById(LINKS[event.key]);
    if (!link || link.tagName !== "A" || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.target instanceof Element && event.target.closest(OWN_ARROWS)) return;
    event.preventDefault();
    link.click();
  });
})();
