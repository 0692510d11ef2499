// The ranking's rows and cells. Rows are fetched at each new revision; what the user sorted, filtered,
// selected and scrolled belongs to the grid and is not touched.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const notation = window.trackerNotation;
  const SPARKLINE_AGE = 600000; // ms; the server renews them no more often
  const SPARKLINE_PATIENCE = 60000; // ms, while some metric has none
  const nothing = () => window.dash_clientside.no_update;

  // ---- rows
  let shown = null; // the revision in the grid
  let sparklines = {};
  let sparklinesAt = 0;
  let remembered = null; // what the user made of the table, for when they come back to it
  let lastSearch = "";

  const percent = (fraction) => (fraction == null ? null : fraction * 100);

  function row(metric) {
    return {
      id: metric.id + "",
      rank: metric.rank,
      pair: metric.base + "/" + metric.quote,
      base: metric.base,
      quote: metric.quote,
      market: metric.market,
      price: metric.price,
      change_1h: percent(metric.change_1h),
      change_24h: percent(metric.change_24h),
      stdev: metric.stdev,
      volatility: percent(metric.volatility),
      volume: metric.volume_24h,
      alerted: metric.alerted_at,
      active: metric.active,
      mark: metric.active ? metric.new_at && "new" : metric.reason || "inactive",
    };
  }

  const api = () => window.dash_ag_grid.getApiAsync(ids.grid);

  async function renewSparklines(age) {
    if (Date.now() - sparklinesAt < age) return;
    sparklinesAt = Date.now();
    try {
      const answer = await fetch("/sparklines", { cache: "no-cache" });
      if (!answer.ok) throw new Error(answer.statusText);
      sparklines = (await answer.json()).points;
      (await api()).refreshCells({ columns: ["spark"], force: true });
    } catch (error) {
      sparklinesAt = 0; // with the next revision, then
    }
  }

  async function rows(live) {
    const mounting = !window.dash_clientside.callback_context.triggered.some((one) => one.prop_id.startsWith(ids.live + "."));
    if (mounting) {
      shown = null;
      settle();
    }
    const wanted = live ? live.revision : null;
    const unchanged = [nothing(), nothing(), nothing()];
    if ((live && live.connection !== "ok") || (shown !== null && shown === wanted)) return unchanged;
    let metrics;
    try {
      const answer = await fetch("/metrics", { cache: "no-cache" });
      if (!answer.ok) return unchanged; // the poller tells why, and calls again when it is over
      metrics = (await answer.json()).metrics;
    } catch (error) {
      return unchanged;
    }
    shown = wanted;
    renewSparklines(metrics.some((metric) => !(metric.id in sparklines)) ? SPARKLINE_PATIENCE : SPARKLINE_AGE);
    if (!metrics.length) return [[], "grid-frame is-hidden", "empty-state"];
    return [metrics.map(row), "grid-frame", "empty-state is-hidden"];
  }

  // ---- columns by width: on a phone, what one looks for; the rest as it fits
  const TIERS = [
    [680, ["market", "change_1h", "stdev", "volatility", "volume", "spark", "alerted"]],
    [980, ["market", "volume", "spark", "alerted"]],
    [1180, ["volume"]],
  ];
  const OPTIONAL = TIERS[0][1];

  function fit(grid) {
    const tier = TIERS.find(([width]) => window.innerWidth < width);
    const hidden = tier ? tier[1] : [];
    const wrong = OPTIONAL.filter((name) => grid.getColumn(name) && grid.getColumn(name).isVisible() === hidden.includes(name));
    for (const shown of [true, false]) {
      const those = wrong.filter((name) => hidden.includes(name) !== shown);
      if (those.length) grid.setColumnsVisible(those, shown);
    }
  }

  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));

  // A new grid: give it the columns that fit, and back what the user had made of the one before.
  async function settle() {
    const grid = await api();
    for (let tries = 0; tries < 120 && !(grid.getColumns() || []).length; tries++) await frame();
    fit(grid);
    const before = remembered; // what follows is remembered too
    if (before) {
      grid.applyColumnState({ state: before.columns });
      grid.setFilterModel(before.filter);
    }
    if (lastSearch) window.dash_clientside.set_props(ids.search, { value: lastSearch });
  }

  // ---- search
  function search(text) {
    const mounting = !window.dash_clientside.callback_context.triggered.length;
    if (mounting) return nothing();
    lastSearch = text || "";
    api().then((grid) => grid.setGridOption("quickFilterText", lastSearch));
    return nothing();
  }

  document.addEventListener("keydown", (event) => {
    const field = document.getElementById(ids.search);
    if (!field) return;
    if (event.key === "/" && !event.target.closest("input, textarea, select, [contenteditable]")) {
      event.preventDefault();
      field.focus();
      field.select();
    } else if (event.key === "Escape" && event.target === field && field.value) {
      window.dash_clientside.set_props(ids.search, { value: "" });
    }
  });

  // ---- figures at a glance
  function glance(live) {
    if (!live || live.tracked === undefined) return Array(5).fill(nothing());
    const { wholeText, clockText } = notation;
    const counts = [live.tracked, live.live, live.tracked - live.live, live.alerts.length].map(wholeText);
    return [...counts, clockText(live.minute)];
  }

  // ---- what the grid calls by name
  function open(id) {
    window.dash_clientside.set_props(ids.location, { pathname: "/metric/" + id, search: "", hash: "" });
    window.scrollTo(0, 0);
  }

  const functions = (window.dashAgGridFunctions = window.dashAgGridFunctions || {});
  Object.assign(functions, notation, {
    noText: () => "",
    quickText: (params) => params.data.pair + " " + params.data.base + params.data.quote + " " + params.data.market,
    nullsLast(left, right, _leftNode, _rightNode, descending) {
      if (left == null || right == null) {
        if (left == null && right == null) return 0;
        return (left == null) !== descending ? 1 : -1;
      }
      return left < right ? -1 : left > right ? 1 : 0;
    },
    openRow(params) {
      const click = params.event;
      // With a modifier one selects, or opens a tab by the cell's own link.
      if (click && (click.ctrlKey || click.metaKey || click.shiftKey)) return;
      open(params.data.id);
    },
    openRowByKey(params) {
      const key = params.event && params.event.key;
      if ((key === "Enter" || key === " ") && params.data) {
        params.event.preventDefault();
        open(params.data.id);
      }
    },
    fitColumns: (params) => fit(params.api),
    countRows(params) {
      const place = document.getElementById(ids.count);
      if (!place) return;
      let all = 0;
      params.api.forEachNode(() => all++);
      const left = params.api.getDisplayedRowCount();
      const text = left === all ? "" : notation.wholeText(left) + " of " + notation.wholeText(all);
      if (place.textContent !== text) place.textContent = text;
    },
    rememberState(params) {
      const columns = params.api.getColumnState().map(({ colId, sort, sortIndex }) => ({ colId, sort, sortIndex }));
      remembered = { columns, filter: params.api.getFilterModel() };
    },
  });

  // ---- cells; React elements, so that a name is text whatever it contains
  const make = (...args) => window.React.createElement(...args);
  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});

  cells.MetricName = function (props) {
    const { id, base, quote, market, active, mark } = props.data;
    const follow = (event) => {
      if (!(event.ctrlKey || event.metaKey || event.shiftKey)) event.preventDefault(); // the row's click opens it
    };
    const name = [make("span", { key: "b", className: "base" }, base), make("span", { key: "q", className: "quote" }, "/" + quote)];
    const chip = { className: "chip " + (active ? "is-new" : "is-warning"), title: props.marks[mark] };
    return make(
      "span",
      { className: "metric-name" },
      make("a", { href: "/metric/" + id, onClick: follow, tabIndex: -1 }, ...name),
      make("span", { className: "under-market" }, market),
      mark && make("span", chip, mark[0].toUpperCase() + mark.slice(1))
    );
  };

  const WIDTH = 112;
  const HEIGHT = 26;

  cells.Sparkline = function (props) {
    const points = sparklines[props.data.id];
    if (!points) return null;
    const known = points.map((y, x) => [x, y]).filter(([, y]) => y !== 255);
    if (known.length < 2) return null;
    let path = "";
    let previous = -2;
    for (const [x, y] of known) {
      path += (x === previous + 1 ? "L" : "M") + ((x / 23) * WIDTH).toFixed(1) + " " + (1 + (1 - y / 100) * (HEIGHT - 2)).toFixed(1);
      previous = x;
    }
    const look = known[known.length - 1][1] >= known[0][1] ? "spark is-up" : "spark is-down";
    const box = { className: look, viewBox: "0 0 " + WIDTH + " " + HEIGHT, preserveAspectRatio: "none", "aria-hidden": "true" };
    return make("svg", box, make("path", { d: path, fill: "none", stroke: "currentColor", strokeWidth: 1.5, vectorEffect: "non-scaling-stroke" }));
  };

  cells.AlertMark = function (props) {
    if (!props.value) return null;
    return make("span", { className: "chip is-alert", title: "Alert at " + notation.clockText(props.value) }, notation.clockText(props.value));
  };

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.tracker = Object.assign(window.dash_clientside.tracker || {}, { rows, search, glance });
})();
