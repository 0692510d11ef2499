// The volatility map: a tile for each metric that passes the filters, at most the largest few hundred. The layout is
// d3's, loaded when the map is first opened.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const notation = window.trackerNotation;
  const { setProps } = window.trackerDash;
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const D3 = window.trackerPaths.at("/assets/vendor/d3-hierarchy-3.1.3.min.js");
  const MIN_TILES = 20;
  const MAX_TILES = 300;
  const TILE_AREA = 1700; // mean square pixels of a tile, large enough to be distinguished
  const FONT = { min: 10, max: 26 }; // pixels
  const FIGURE = { size: 0.72, width: 0.66, line: 1.15 }; // in sizes of the name's font, and of its own; see .tile
  const MIN_NAMED = { width: 34, height: 20 }; // pixels a tile needs for its name
  const MIN_WITH_QUOTE = 90; // pixels of width that a name needs for its quote
  const SCALE_ENDS = [0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 15, 20, 30, 50, 100, 200, 500, 1000]; // per cent
  const IN_SCALE = 0.95; // share of tiles within the scale, so that one outlier does not grey all others
  /** @type {Record<RankingView["size"], (row: Row) => number | null>} */
  const SIZES = { volume: (row) => row.turnover, volatility: (row) => row.volatility, equal: () => 1 };
  /** @type {Record<string, number>} */
  const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

  /** @typedef {{ colour: RankingView["colour"], end: number, signed: boolean }} Scale */

  /** @type {Promise<D3> | null} */
  let loading = null;
  /** @type {Map<string, HTMLAnchorElement>} */
  let drawn = new Map(); // tiles by row id
  /** @type {Map<string | undefined, Row>} */
  let rowsDrawn = new Map();
  /** @type {HTMLElement | null} */
  let watched = null;
  let isDrawingDue = false;

  const isShown = () => ["map", "both"].includes(ranking.view().view);
  const mapElement = () => document.getElementById(ids.map);
  /** @type {(event: Event) => HTMLAnchorElement | null} */
  const tileOf = (event) => /** @type {Element} */ (event.target).closest("a.tile");

  function loadD3() {
    loading =
      loading ||
      new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = D3;
        script.onload = () => resolve(window.d3);
        script.onerror = () => {
          loading = null; // the next drawing tries again
          reject(new Error(D3));
        };
        document.head.append(script);
      });
    return loading;
  }

  function showView() {
    setProps(ids.ranking, { className: "ranking-page shows-" + ranking.view().view });
    drawMap();
  }

  // At most once a frame, however many rows, filters and sizes changed.
  function drawMap() {
    if (isDrawingDue || !isShown() || !mapElement()) return;
    isDrawingDue = true;
    requestAnimationFrame(async () => {
      isDrawingDue = false;
      const map = mapElement();
      if (!map) return;
      if (watched !== map) watch(map);
      const d3 = await loadD3().catch(() => null);
      if (d3 === null) return setNote("The map could not be loaded. It is tried again with the next prices.");
      const grid = await ranking.gridApi();
      if (map.isConnected && map.clientWidth) draw(d3, grid, map);
    });
  }

  /** @param {HTMLElement} map */
  function watch(map) {
    watched = map;
    drawn = new Map();
    new ResizeObserver(drawMap).observe(map);
    map.addEventListener("click", openTile);
    map.addEventListener("keydown", moveFocus);
    map.addEventListener("pointermove", showTip);
    map.addEventListener("focusin", showTip);
    for (const name of ["pointerleave", "focusout"]) map.addEventListener(name, ranking.hideMapTip);
  }

  /**
   * The rows that pass the filters and have a size, the largest first, and the number of all that pass.
   * @param {Grid} grid
   */
  function sizedRows(grid) {
    const { size } = ranking.view();
    const sizeOf = (/** @type {Row} */ row) => SIZES[size](row) ?? 0;
    /** @type {Row[]} */
    const rows = [];
    let all = 0;
    grid.forEachNodeAfterFilter(({ data }) => {
      all++;
      if (data && data.active && sizeOf(data) > 0) rows.push(data);
    });
    const byRank = (/** @type {Row} */ left, /** @type {Row} */ right) => (left.rank ?? 0) - (right.rank ?? 0);
    rows.sort(size === "equal" ? byRank : (left, right) => sizeOf(right) - sizeOf(left));
    return { rows, all, sizeOf };
  }

  /**
   * @param {D3} d3
   * @param {Grid} grid
   * @param {HTMLElement} map
   */
  function draw(d3, grid, map) {
    const { rows, all, sizeOf } = sizedRows(grid);
    const room = Math.floor((map.clientWidth * map.clientHeight) / TILE_AREA);
    const largest = rows.slice(0, Math.max(MIN_TILES, Math.min(MAX_TILES, room)));
    const root = d3
      .hierarchy(/** @type {Row} */ (/** @type {Partial<TileRoot>} */ ({ children: largest })))
      .sum((row) => (row.id ? sizeOf(row) : 0));
    const treemap = /** @type {ReturnType<typeof d3.treemap<Row>>} */ (d3.treemap());
    const tiles = treemap.size([map.clientWidth, map.clientHeight]).paddingInner(2).round(true)(root).leaves();
    const scale = colourScale(largest);
    place(
      map,
      tiles.filter((tile) => tile.data.id),
      scale,
    );
    showScale(scale);
    showCounts(all, rows.length, largest.length);
  }

  /**
   * @param {Row[]} rows
   * @returns {Scale}
   */
  function colourScale(rows) {
    const { colour } = ranking.view();
    const sizes = rows.map((row) => Math.abs(row[colour] ?? 0)).sort((left, right) => left - right);
    const limit = sizes[Math.floor(sizes.length * IN_SCALE)] || 0;
    const end = SCALE_ENDS.find((one) => one >= limit) || SCALE_ENDS[SCALE_ENDS.length - 1];
    return { colour, end, signed: colour !== "volatility" };
  }

  /**
   * Puts the tiles into the map. A metric keeps its element, and with it the focus.
   * @param {HTMLElement} map
   * @param {Tile[]} tiles
   * @param {Scale} scale
   */
  function place(map, tiles, scale) {
    const next = new Map();
    const hasSeveralQuotes = new Set(tiles.map((tile) => tile.data.quote)).size > 1;
    for (const tile of tiles) {
      const { id } = tile.data;
      const element = drawn.get(id) || newTile(id);
      next.set(id, element);
      paint(element, tile, scale, hasSeveralQuotes);
    }
    for (const [id, element] of drawn) if (!next.has(id)) element.remove();
    rowsDrawn = new Map(tiles.map((tile) => [tile.data.id, tile.data]));
    drawn = next;
    const order = [...next.values()];
    if (order.some((element, index) => map.children[index] !== element)) {
      const focused = /** @type {HTMLElement | null} */ (document.activeElement);
      map.replaceChildren(...order);
      if (focused && map.contains(focused)) focused.focus({ preventScroll: true });
    }
    if (!order.some((element) => element.tabIndex === 0) && order.length) order[0].tabIndex = 0;
  }

  /** @param {string} id */
  function newTile(id) {
    const element = document.createElement("a");
    element.href = window.trackerPaths.at("/metric/" + id);
    element.dataset.id = id;
    element.tabIndex = -1; // the map is one tab stop; arrow keys move within it
    element.append(document.createElement("b"), document.createElement("span"));
    return element;
  }

  /**
   * @param {HTMLElement} element
   * @param {Tile} tile
   * @param {Scale} scale
   * @param {boolean} hasSeveralQuotes
   */
  function paint(element, tile, scale, hasSeveralQuotes) {
    const row = tile.data;
    const box = { width: tile.x1 - tile.x0, height: tile.y1 - tile.y0 };
    const value = row[scale.colour];
    const name = row.base + (hasSeveralQuotes && box.width > MIN_WITH_QUOTE ? "/" + row.quote : "");
    element.className = "tile tile-" + direction(scale, value) + (row.stale ? " is-stale" : "");
    element.style.cssText =
      `left:${tile.x0}px;top:${tile.y0}px;width:${box.width}px;height:${box.height}px;` +
      `--strength:${(strength(scale, value) * 100).toFixed(0)}%;font-size:${fontSize(box, name)}px`;
    const isNamed = box.width >= MIN_NAMED.width && box.height >= MIN_NAMED.height;
    const figure = scale.signed ? notation.changeText(value) : notation.shareText(value);
    const texts = [isNamed ? name : "", isNamed && hasRoom(box, name, figure) ? figure : ""];
    [...element.children].forEach((part, index) => {
      if (part.textContent !== texts[index]) part.textContent = texts[index];
    });
    element.setAttribute("aria-label", `${row.pair} ${row.market}, ${figure}` + (row.age ? `, ${row.age} old` : ""));
  }

  /** @type {(scale: Scale, value: number | null) => number} */
  const strength = ({ end }, value) => Math.min(1, Math.abs(value ?? 0) / end);
  /** @type {(scale: Scale, value: number | null) => "much" | "up" | "down"} */
  const direction = ({ signed }, value) => (!signed ? "much" : (value ?? 0) < 0 ? "down" : "up");

  /**
   * A figure is shown only if all of it fits.
   * @param {{ width: number, height: number }} box
   * @param {string} name
   * @param {string} figure
   */
  function hasRoom(box, name, figure) {
    const above = fontSize(box, name);
    const size = Math.max(FONT.min, above * FIGURE.size);
    return box.height >= (above + size) * FIGURE.line && box.width >= figure.length * size * FIGURE.width;
  }

  /** @type {(box: { width: number, height: number }, name: string) => number} */
  const fontSize = ({ width, height }, name) =>
    Math.round(Math.max(FONT.min, Math.min(FONT.max, width / Math.max(4, name.length * 0.85), height / 2.8)));

  /** @param {string} text */
  function setNote(text) {
    const note = document.getElementById(ids.mapNote);
    if (note && note.textContent !== text) note.textContent = text;
  }

  /**
   * @param {number} all rows that pass the filters
   * @param {number} sized those with a size
   * @param {number} tiles those shown
   */
  function showCounts(all, sized, tiles) {
    const { wholeText } = notation;
    if (!tiles) return setNote(all ? "No metric has a size yet" : "Nothing matches");
    const which = ranking.view().size === "equal" ? "first" : "largest";
    const shown =
      tiles < sized
        ? `The ${which} ${wholeText(tiles)}; ${wholeText(sized - tiles)} more not shown`
        : `All ${wholeText(tiles)}`;
    setNote(shown + (all > sized ? `, ${wholeText(all - sized)} without a size` : ""));
  }

  /** @param {Scale} scale */
  function showScale({ end, signed }) {
    const element = /** @type {HTMLElement} */ (document.getElementById(ids.mapScale));
    const ends = signed ? [`\u2212${end} %`, "0", `+${end} %`] : ["0", "", `${end} %`];
    element.dataset.kind = signed ? "signed" : "much";
    element.querySelectorAll("span").forEach((part, index) => (part.textContent = ends[index]));
  }

  // ---- mouse and keyboard

  /** @param {MouseEvent} event */
  function openTile(event) {
    const tile = tileOf(event);
    if (!tile || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    ranking.hideMapTip();
    ranking.openMetric(tile.dataset.id || "");
  }

  /** @param {KeyboardEvent} event */
  function moveFocus(event) {
    const step = STEPS[event.key];
    const tile = tileOf(event);
    if (!step || !tile) return;
    event.preventDefault();
    const next = step > 0 ? tile.nextElementSibling : tile.previousElementSibling;
    if (!(next instanceof HTMLElement)) return;
    [tile.tabIndex, next.tabIndex] = [-1, 0];
    next.focus();
  }

  /** @param {MouseEvent | FocusEvent} event */
  function showTip(event) {
    const tile = tileOf(event);
    const row = tile && rowsDrawn.get(tile.dataset.id);
    if (row) ranking.showMapTip(event, row, tile);
    else ranking.hideMapTip();
  }

  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ showView, drawMap }));
})();
