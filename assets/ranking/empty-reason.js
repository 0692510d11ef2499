// Why the ranking is empty, as far as that is known.
(function () {
  "use strict";
  const { noUpdate, register } = window.trackerDash;

  /** @param {Live | null} live */
  function emptyReason(live) {
    if (!live || live.connection !== "ok") return noUpdate();
    const failing = (live.exchanges || []).filter((exchange) => exchange.failing_since);
    const lines = failing.map(
      (exchange) => exchange.market + " gives no prices: " + (exchange.error || "no reason given"),
    );
    return [...lines, ...(live.warnings || [])].join("\n");
  }

  register({ emptyReason });
})();
