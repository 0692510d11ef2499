// The volatility map: a tile a metric, of those that pass the filters the largest few hundred. The layout is d3's,
// fetched when the map is first opened.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const notation = window.trackerNotation;
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const LAYOUT = window.trackerPaths.at("/assets/vendor/d3-hierarchy-3.1.3.min.js");
  const MAX_TILES = 300;
  const TILE_AREA = 1700; // square pixels a tile should have on average, to be told from its neighbours
  const FIGURE = { smallest: 10, size: 0.72, width: 0.66, line: 1.15 }; // pixels, of the name's size, and of its own; see .tile
  const NAMED = { width: 34, height: 20 }; // pixels a tile needs for its name
  const NICE = [0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 15, 20, 30, 50, 100, 200, 500, 1000]; // per cent, ends of the scale
  const SIZES = { volume: (row) => row.turnover, volatility: (row) => row.volatility, equal: () => 1 };

  /** @type {Promise<Window["d3"]> | null} */
  let layout = null; // a promise of d3-hierarchy
  let drawn = new Map(); // tiles by the metric's number
  let waiting = false;
  let rowsDrawn = new Map();
  let watched = null;

  const isShown = () => ["map", "both"].includes(ranking.view().view);
  const field = () => document.getElementById(ids.map);

  function loadLayout() {
    layout =
      layout ||
      new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = LAYOUT;
        script.onload = () => resolve(window.d3);
        script.onerror = () => {
          layout = null; // asked for again at the next drawing
          reject(new Error(LAYOUT));
        };
        document.head.append(script);
      });
    return layout;
  }

  function showParts() {
    window.dash_clientside.set_props(ids.ranking, { className: "ranking-page shows-" + ranking.view().view });
    drawMap();
  }

  // At most once a frame, however many rows, filters and sizes changed.
  function drawMap() {
    if (waiting || !isShown() || !field()) return;
    waiting = true;
    requestAnimationFrame(async () => {
      waiting = false;
      const place = field();
      if (!place) return;
      if (watched !== place) begin(place);
      const d3 = await loadLayout().catch(() => null);
      if (d3 === null) return note("The map could not be loaded; it is tried again with the next prices.");
      const grid = await ranking.api();
      if (place.isConnected && place.clientWidth) draw(d3, grid, place);
    });
  }

  function begin(place) {
    watched = place;
    drawn = new Map();
    new ResizeObserver(drawMap).observe(place);
    place.addEventListener("click", follow);
    place.addEventListener("keydown", walk);
    for (const name of ["pointermove", "focusin"]) place.addEventListener(name, tell);
    for (const name of ["pointerleave", "focusout"]) place.addEventListener(name, hush);
  }

  function draw(d3, grid, place) {
    const size = SIZES[ranking.view().size];
    const rows = [];
    let all = 0;
    grid.forEachNodeAfterFilter(({ data }) => {
      all++;
      if (data.active && size(data) > 0) rows.push(data);
    });
    const equal = ranking.view().size === "equal";
    rows.sort((left, right) => (equal ? left.rank - right.rank : size(right) - size(left)));
    const most = Math.max(20, Math.min(MAX_TILES, Math.floor((place.clientWidth * place.clientHeight) / TILE_AREA)));
    const largest = rows.slice(0, most);
    const root = d3.hierarchy({ children: largest }).sum((row) => (row.id ? size(row) : 0));
    d3.treemap().size([place.clientWidth, place.clientHeight]).paddingInner(2).round(true)(root);
    const scale = colourScale(largest);
    put(
      place,
      root.leaves().filter((leaf) => leaf.data.id),
      scale,
    );
    tellScale(scale);
    tellLeftOut(all, rows.length, largest.length);
  }

  // Nineteen of twenty tiles lie within the scale, so that one runaway does not grey all others.
  function colourScale(rows) {
    const { colour } = ranking.view();
    const sizes = rows.map((row) => Math.abs(row[colour] ?? 0)).sort((left, right) => left - right);
    const wide = sizes[Math.floor(sizes.length * 0.95)] || 0;
    return { colour, end: NICE.find((end) => end >= wide) || NICE[NICE.length - 1], signed: colour !== "volatility" };
  }

  function put(place, leaves, scale) {
    const next = new Map();
    const several = new Set(leaves.map((leaf) => leaf.data.quote)).size > 1;
    for (const leaf of leaves) {
      const row = leaf.data;
      const tile = drawn.get(row.id) || newTile(row.id);
      next.set(row.id, tile);
      paint(tile, leaf, row, scale, several);
    }
    for (const [id, tile] of drawn) if (!next.has(id)) tile.remove();
    rowsDrawn = new Map(leaves.map((leaf) => [leaf.data.id, leaf.data]));
    drawn = next;
    const order = [...next.values()];
    if (order.some((tile, at) => place.children[at] !== tile)) {
      const held = /** @type {HTMLElement | null} */ (document.activeElement);
      place.replaceChildren(...order);
      if (held && place.contains(held)) held.focus({ preventScroll: true });
    }
    if (!order.some((tile) => tile.tabIndex === 0) && order.length) order[0].tabIndex = 0;
  }

  function newTile(id) {
    const tile = document.createElement("a");
    tile.href = window.trackerPaths.at("/metric/" + id);
    tile.dataset.id = id;
    tile.tabIndex = -1; // one stop for the keyboard; from there by arrows
    tile.append(document.createElement("b"), document.createElement("span"));
    return tile;
  }

  function paint(tile, leaf, row, scale, several) {
    const [width, height] = [leaf.x1 - leaf.x0, leaf.y1 - leaf.y0];
    const value = row[scale.colour];
    const strength = value == null ? 0 : Math.min(1, Math.abs(value) / scale.end);
    const name = row.base + (several && width > 90 ? "/" + row.quote : "");
    const way = !scale.signed ? "much" : value < 0 ? "down" : "up";
    tile.className = "tile tile-" + way + (row.stale ? " is-stale" : "");
    tile.style.cssText =
      `left:${leaf.x0}px;top:${leaf.y0}px;width:${width}px;height:${height}px;` +
      `--strength:${(strength * 100).toFixed(0)}%;font-size:${fontSize(width, height, name)}px`;
    const named = width >= NAMED.width && height >= NAMED.height;
    const figure = figureText(scale, value);
    const words = [named ? name : "", named && hasRoom(width, height, name, figure) ? figure : ""];
    [...tile.children].forEach((part, at) => {
      if (part.textContent !== words[at]) part.textContent = words[at];
    });
    tile.setAttribute("aria-label", `${row.pair} ${row.market}, ${figure}` + (row.age ? `, ${row.age} old` : ""));
  }

  // A figure is never cut: it stands where all of it does.
  function hasRoom(width, height, name, figure) {
    const above = Number(fontSize(width, height, name));
    const size = Math.max(FIGURE.smallest, above * FIGURE.size);
    return height >= (above + size) * FIGURE.line && width >= figure.length * size * FIGURE.width;
  }

  const fontSize = (width, height, name) =>
    Math.max(10, Math.min(26, width / Math.max(4, name.length * 0.85), height / 2.8)).toFixed(0);

  const figureText = (scale, value) => (scale.signed ? notation.changeText(value) : notation.shareText(value));

  function note(words) {
    const place = document.getElementById(ids.mapNote);
    if (place && place.textContent !== words) place.textContent = words;
  }

  function tellLeftOut(all, sized, tiles) {
    const { wholeText } = notation;
    const unknown = all - sized;
    const parts = [];
    if (!tiles) parts.push(all ? "Nothing to size tiles by yet" : "Nothing matches");
    else if (tiles < sized)
      parts.push(
        `The ${ranking.view().size === "equal" ? "first" : "largest"} ${wholeText(tiles)}; ${wholeText(sized - tiles)} more not shown`,
      );
    else parts.push(`All ${wholeText(tiles)}`);
    if (tiles && unknown) parts.push(`${wholeText(unknown)} without the figure`);
    note(parts.join(", "));
  }

  function tellScale({ end, signed }) {
    const place = /** @type {HTMLElement} */ (document.getElementById(ids.mapScale));
    const ends = signed ? [`\u2212${end} %`, "0", `+${end} %`] : ["0", "", `${end} %`];
    place.dataset.kind = signed ? "signed" : "much";
    place.querySelectorAll("span").forEach((part, at) => (part.textContent = ends[at]));
  }

  // ---- mouse and keyboard
  function follow(event) {
    const tile = event.target.closest(".tile");
    if (!tile || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    hush();
    ranking.open(tile.dataset.id);
  }

  function walk(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const tile = event.target.closest(".tile");
    if (!step || !tile) return;
    event.preventDefault();
    const next = step > 0 ? tile.nextElementSibling : tile.previousElementSibling;
    if (!next) return;
    [tile.tabIndex, next.tabIndex] = [-1, 0];
    next.focus();
  }

  function tell(event) {
    const tile = event.target.closest(".tile");
    const row = tile && rowsDrawn.get(tile.dataset.id);
    if (!row) return hush();
    const tip = /** @type {HTMLElement} */ (document.getElementById(ids.mapTip));
    const { priceText, changeText, shareText, amountText } = notation;
    const figures = [
      ["Price", priceText(row.price)],
      ["1 h", changeText(row.change_1h)],
      ["24 h", changeText(row.change_24h)],
      ["Volatility", shareText(row.volatility)],
      ["Turnover", amountText(row.turnover)],
    ];
    if (row.age) figures.unshift(["Price is", row.age + " old"]);
    const [name, market] = ["strong", "span"].map((kind) => document.createElement(kind));
    [name.textContent, market.textContent] = [row.pair, row.market];
    const list = document.createElement("dl");
    for (const [label, value] of figures) {
      const [term, told] = ["dt", "dd"].map((kind) => document.createElement(kind));
      [term.textContent, told.textContent] = [label, value];
      list.append(term, told);
    }
    tip.replaceChildren(name, market, list);
    tip.hidden = false;
    if (!tip.offsetParent) return; // on a phone, which has no room for it
    const frame = tip.offsetParent.getBoundingClientRect();
    const box = tile.getBoundingClientRect();
    const [x, y] = event.type === "focusin" ? [box.right, box.bottom] : [event.clientX, event.clientY];
    const left = x - frame.left + 14;
    tip.style.left = Math.max(4, left + tip.offsetWidth > frame.width ? left - tip.offsetWidth - 28 : left) + "px";
    tip.style.top = Math.max(4, Math.min(y - frame.top + 14, frame.height - tip.offsetHeight - 4)) + "px";
  }

  function hush() {
    const tip = document.getElementById(ids.mapTip);
    if (tip) tip.hidden = true;
  }

  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ showParts, drawMap }));
})();
