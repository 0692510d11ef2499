// The pixels that each column needs for its longest text (layouts/notation.py), measured in the page's own font. Names
// longer than most take two lines.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const notation = window.trackerNotation;
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const PHONE = 680; // pixels; on a narrower window cells have less padding
  const PADDING = { wide: 20, phone: 12 }; // pixels of padding and borders of a cell
  const ARROW = 20; // pixels of a header's sort arrow
  const MAX_PAIR = { wide: 180, phone: 80 };
  const MAX_MEASURED = 20; // names; the font decides which of the longest is the widest

  /** @type {Record<string, string[]>} */
  let longest = { pair: [""], market: [""], rank: [""] };
  let measuredFor = ""; // what `widths` were measured for
  /** @type {Record<string, number>} */
  let widths = {};

  const isPhone = () => window.innerWidth <= PHONE;

  /** @param {string[]} names */
  function longestOf(names) {
    const sorted = [...new Set(names)].sort((left, right) => right.length - left.length);
    return sorted.slice(0, MAX_MEASURED);
  }

  /** @type {Ranking["setLongestNames"]} */
  function setLongestNames(metrics) {
    const next = {
      pair: longestOf(metrics.map((metric) => metric.base + "/" + metric.quote)),
      market: longestOf(metrics.map((metric) => metric.market)),
      rank: [notation.wholeText(metrics.length)],
    };
    const isNew = JSON.stringify(next) !== JSON.stringify(longest);
    longest = next;
    return isNew;
  }

  /**
   * The width of each text in the font of the class `look`.
   * @param {{ text: string, look: string }[]} texts
   */
  function measure(texts) {
    const ruler = document.createElement("div");
    ruler.className = "column-ruler";
    ruler.setAttribute("aria-hidden", "true");
    for (const { text, look } of texts) {
      const line = document.createElement("span");
      line.className = look;
      line.textContent = text;
      ruler.append(line);
    }
    /** @type {HTMLElement} */ (document.getElementById(ids.ranking)).append(ruler);
    const found = [...ruler.children].map((line) => line.getBoundingClientRect().width);
    ruler.remove();
    return found;
  }

  /** @param {GridColumn} column */
  function describe(column) {
    const { cellClass = "", context, headerName = "", minWidth = 0 } = column.getColDef();
    return { colId: column.getColId(), cellClass, headerName, minWidth, context: contextOf(context) };
  }

  /** @type {(context: ColumnContext | undefined) => ColumnContext | undefined} the grid has no type for it */
  const contextOf = (context) => context;

  /**
   * The texts that a column needs room for.
   * @param {ReturnType<typeof describe>} column
   */
  function textsOf({ colId, cellClass, headerName, context }) {
    if (!context) return [];
    const look = context.look || "cell " + cellClass;
    const texts = (longest[colId] || [context.widest || ""]).map((text) => ({ colId, text, look }));
    if (context.note) texts.push({ colId, text: context.note, look: "row-note" });
    return [...texts, { colId, text: headerName, look: "header" }];
  }

  /** @type {Ranking["measureColumns"]} */
  function measureColumns(grid) {
    const key = JSON.stringify([isPhone(), longest]);
    if (key === measuredFor) return widths;
    const size = isPhone() ? "phone" : "wide";
    const columns = (grid.getColumns() || []).map(describe);
    const texts = columns.flatMap(textsOf);
    const measured = measure(texts).map((width, index) => width + (texts[index].look === "header" ? ARROW : 0));
    widths = {};
    for (const { colId, context, minWidth } of columns) {
      const needs = measured.filter((_, index) => texts[index].colId === colId);
      const need = context ? Math.ceil(Math.max(...needs) + PADDING[size]) : minWidth;
      widths[colId] = colId === "pair" ? Math.min(need, MAX_PAIR[size]) : need;
    }
    measuredFor = key;
    return widths;
  }

  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ setLongestNames, measureColumns }));
})();
