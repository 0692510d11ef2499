// Cells that are more than a number. They are React elements, so that a name is text whatever it contains.
(function () {
  "use strict";
  const notation = window.trackerNotation;
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
  const MAX_ONE_LINE = 13; // characters of a pair; longer ones take two lines
  const SPARKLINE = { width: 112, height: 26 }; // pixels

  /** @type {(type: string, properties: object | null, ...children: React.ReactNode[]) => React.ReactElement} */
  const make = (type, properties, ...children) => window.React.createElement(type, properties, ...children);

  /** @param {CellProperties} properties */
  function Star({ data }) {
    const isFavourite = ranking.isFavourite(data);
    const title = isFavourite ? "Remove from favourites" : "Add to favourites";
    const button = {
      type: "button",
      className: "star" + (isFavourite ? " is-kept" : ""),
      title,
      tabIndex: -1,
      "aria-label": title + ": " + data.pair,
      "aria-pressed": isFavourite,
      onClick: () => ranking.toggleFavourite(data),
    };
    const icon = { className: "icon icon-star" + (isFavourite ? "-full" : ""), "aria-hidden": "true" };
    return make("button", button, make("span", icon));
  }

  /** @param {CellProperties<number | null>} properties */
  function Moved({ value }) {
    if (!value) return null;
    const places = Math.abs(value) === 1 ? " place" : " places";
    const [look, arrow, direction] = value > 0 ? ["is-up", "\u25b2", "Up "] : ["is-down", "\u25bc", "Down "];
    const number = notation.wholeText(Math.abs(value));
    const title = direction + number + places + " in an hour";
    return make("span", { className: "moved " + look, title }, arrow + " " + number);
  }

  /**
   * The age of a stale price, or how much of its window is known.
   * @param {Row} row
   */
  function rowNote({ age, partial, updated }) {
    if (age) {
      const old = make("span", { className: "old" }, " old"); // hidden on a phone
      const title = "Price of " + notation.clockText(updated);
      return make("span", { className: "row-note is-warning", title }, age, old);
    }
    if (!partial) return null;
    return make("span", { className: "row-note is-window", title: "Its statistics rest on " + partial }, partial);
  }

  /** @param {CellProperties} properties */
  function MetricName({ data, titles }) {
    const { id, pair, base, quote, market, active, mark } = data;
    const onClick = (/** @type {React.MouseEvent} */ event) => {
      if (!(event.ctrlKey || event.metaKey || event.shiftKey)) event.preventDefault(); // the row's click opens it
    };
    const className = pair.length > MAX_ONE_LINE ? "is-long" : undefined;
    const link = make(
      "a",
      { href: window.trackerPaths.at("/metric/" + id), onClick, tabIndex: -1, className, title: pair },
      make("span", { key: "b", className: "base" }, base),
      make("wbr", { key: "w" }),
      make("span", { key: "q", className: "quote" }, "/" + quote),
    );
    const note = rowNote(data);
    const chip =
      mark &&
      make(
        "span",
        { className: "chip " + (active ? "is-new" : "is-warning"), title: titles[mark] },
        mark[0].toUpperCase() + mark.slice(1),
      );
    return make(
      "span",
      { className: "metric-name" + (note ? " has-note" : "") },
      link,
      make("span", { className: "under-market" }, market),
      chip,
      note,
    );
  }

  /**
   * The path of a line with gaps. A point without neighbours is a dot.
   * @param {[place: number, price: number | null][]} points
   * @param {(price: number) => number} toHeight
   */
  function pathOf(points, toHeight) {
    let path = "";
    points.forEach(([place, price], index) => {
      if (price === null) return;
      const [isAfterGap, isBeforeGap] = [points[index - 1], points[index + 1]].map(
        (next) => (next?.[1] ?? null) === null,
      );
      path += (isAfterGap ? "M" : "L") + (place * SPARKLINE.width).toFixed(1) + " " + toHeight(price).toFixed(1);
      if (isAfterGap && isBeforeGap) path += "Z";
    });
    return path;
  }

  /** @param {CellProperties} properties */
  function Sparkline({ data }) {
    const points = ranking.sparkline(data) || [];
    const prices = points.flatMap(([, price]) => (price === null ? [] : [price]));
    if (prices.length < 2) return null;
    const [low, high] = [Math.min(...prices), Math.max(...prices)];
    const toHeight = (/** @type {number} */ price) =>
      (high > low ? 1 - (price - low) / (high - low) : 0.5) * (SPARKLINE.height - 2) + 1;
    const line = {
      d: pathOf(points, toHeight),
      fill: "none",
      stroke: "currentColor",
      strokeWidth: 1.5,
      strokeLinecap: "round",
      vectorEffect: "non-scaling-stroke",
    };
    const box = {
      className: prices[prices.length - 1] >= prices[0] ? "spark is-up" : "spark is-down",
      viewBox: "0 0 " + SPARKLINE.width + " " + SPARKLINE.height,
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    };
    return make("svg", box, make("path", line));
  }

  /** @param {CellProperties<string | null>} properties */
  function AlertMark({ value }) {
    if (!value) return null;
    const chip = { className: "chip is-alert", title: "Alert at " + notation.clockText(value) };
    return make("span", chip, notation.timeText(value)); // fired within the last hour, maybe before midnight
  }

  Object.assign(cells, { Star, Moved, MetricName, Sparkline, AlertMark });
})();
