// Cells that are more than a number; React elements, so that a name is text whatever it contains.
(function () {
  "use strict";
  const notation = window.trackerNotation;
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const make = (type, props, ...children) => window.React.createElement(type, props, ...children);
  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});

  cells.Star = function (props) {
    const kept = ranking.isFavourite(props.data);
    const words = kept ? "Take from the favourites" : "Keep as a favourite";
    const press = { type: "button", className: "star" + (kept ? " is-kept" : ""), title: words, tabIndex: -1 };
    const say = {
      "aria-label": words + ": " + props.data.pair,
      "aria-pressed": kept,
      onClick: () => ranking.toggleFavourite(props.data),
    };
    return make(
      "button",
      { ...press, ...say },
      make("span", { className: "icon icon-star" + (kept ? "-full" : ""), "aria-hidden": "true" }),
    );
  };

  cells.Moved = function (props) {
    if (!props.value) return null;
    const places = Math.abs(props.value) === 1 ? " place" : " places";
    const [look, arrow, way] = props.value > 0 ? ["is-up", "\u25b2", "Up "] : ["is-down", "\u25bc", "Down "];
    const number = notation.wholeText(Math.abs(props.value));
    return make(
      "span",
      { className: "moved " + look, title: way + number + places + " in an hour" },
      arrow + " " + number,
    );
  };

  const LONG = 13; // letters of a pair that fit on one line; longer ones take two

  cells.MetricName = function (props) {
    const { id, pair, base, quote, market, active, mark, age, partial, updated } = props.data;
    const look = pair.length > LONG ? "is-long" : undefined;
    const follow = (event) => {
      if (!(event.ctrlKey || event.metaKey || event.shiftKey)) event.preventDefault(); // the row's click opens it
    };
    const name = [
      make("span", { key: "b", className: "base" }, base),
      make("wbr", { key: "w" }),
      make("span", { key: "q", className: "quote" }, "/" + quote),
    ];
    const chip = { className: "chip " + (active ? "is-new" : "is-warning"), title: props.marks[mark] };
    const old = make("span", { className: "old" }, " old"); // which a phone has no room for
    const note = age
      ? make("span", { className: "row-note is-warning", title: "Price of " + notation.clockText(updated) }, age, old)
      : partial &&
        make("span", { className: "row-note is-window", title: "Its statistics rest on " + partial }, partial);
    return make(
      "span",
      { className: "metric-name" + (note ? " has-note" : "") },
      make(
        "a",
        { href: window.trackerPaths.at("/metric/" + id), onClick: follow, tabIndex: -1, className: look, title: pair },
        ...name,
      ),
      make("span", { className: "under-market" }, market),
      mark && make("span", chip, mark[0].toUpperCase() + mark.slice(1)),
      note || null,
    );
  };

  const WIDTH = 112;
  const HEIGHT = 26;

  cells.Sparkline = function (props) {
    const points = ranking.sparkline(props.data) || [];
    const prices = points.flatMap(([, price]) => (price === null ? [] : [price]));
    if (prices.length < 2) return null;
    const [low, high] = [Math.min(...prices), Math.max(...prices)];
    const height = (price) => (high > low ? 1 - (price - low) / (high - low) : 0.5) * (HEIGHT - 2) + 1;
    let path = "";
    points.forEach(([place, price], at) => {
      if (price === null) return;
      const [isAfterGap, isBeforeGap] = [points[at - 1], points[at + 1]].map((next) => (next?.[1] ?? null) === null);
      path += (isAfterGap ? "M" : "L") + (place * WIDTH).toFixed(1) + " " + height(price).toFixed(1);
      if (isAfterGap && isBeforeGap) path += "Z"; // a dot
    });
    const [first, last] = [prices[0], prices[prices.length - 1]];
    const look = last >= first ? "spark is-up" : "spark is-down";
    const box = {
      className: look,
      viewBox: "0 0 " + WIDTH + " " + HEIGHT,
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    };
    return make(
      "svg",
      box,
      make("path", {
        d: path,
        fill: "none",
        stroke: "currentColor",
        strokeWidth: 1.5,
        strokeLinecap: "round",
        vectorEffect: "non-scaling-stroke",
      }),
    );
  };

  cells.AlertMark = function (props) {
    if (!props.value) return null;
    return make(
      "span",
      { className: "chip is-alert", title: "Alert at " + notation.clockText(props.value) },
      notation.timeText(props.value), // fired within the last hour, maybe before midnight
    );
  };
})();
