// Why an empty ranking is empty, as far as that is known.
(function () {
  "use strict";

  function cause(live) {
    const { no_update } = window.dash_clientside;
    if (!live || live.connection !== "ok") return no_update;
    const failing = (live.exchanges || []).filter((exchange) => exchange.failing_since);
    const lines = failing.map(
      (exchange) => exchange.market + " gives no prices: " + (exchange.error || "no reason given"),
    );
    return [...lines, ...(live.warnings || [])].join("\n");
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.tracker = Object.assign(window.dash_clientside.tracker || {}, { cause });
})();
