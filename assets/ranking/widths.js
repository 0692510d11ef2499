// How many pixels each column of the ranking needs so that no figure in it is cut: the longest text of its notation
// (layouts/notation.py), measured in the page's own font. A name that is longer than most takes two lines.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const notation = window.trackerNotation;
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const PHONE = 680; // pixels; on a narrower window cells stand closer
  const SIDES = { wide: 20, phone: 12 }; // of a cell: padding and borders
  const ARROW = 20; // beside a header's name where one sorts by it
  const MAX_PAIR = { wide: 180, phone: 80 };
  const MEASURED = 20; // names; which is the widest of those with most letters, the font decides

  let longest = { pair: [""], market: [""], rank: [""] };
  let known = ""; // what `widths` were measured for
  /** @type {Record<string, number>} */
  let widths = {};

  const isPhone = () => window.innerWidth <= PHONE;

  function mostLetters(names) {
    const most = [...new Set(names)].sort((left, right) => right.length - left.length);
    return most.slice(0, MEASURED);
  }

  // Notes the names that there are; true where the columns need another width for them.
  function noteNames(metrics) {
    const next = {
      pair: mostLetters(metrics.map((metric) => metric.base + "/" + metric.quote)),
      market: mostLetters(metrics.map((metric) => metric.market)),
      rank: [notation.wholeText(metrics.length)],
    };
    const isNew = JSON.stringify(next) !== JSON.stringify(longest);
    longest = next;
    return isNew;
  }

  // The width of each text in the cells' font, or in the headers'.
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

  // The least width of each column, by its name.
  function columnWidths(grid) {
    const key = JSON.stringify([isPhone(), longest]);
    if (key === known) return widths;
    const size = isPhone() ? "phone" : "wide";
    const texts = grid.getColumns().flatMap((column) => {
      const { colId, headerName, cellClass = "", context } = describe(column);
      if (!context) return [];
      const cells = (longest[colId] || [context.widest]).map((text) => ({ colId, text, look: "cell " + cellClass }));
      if (context.look) cells.forEach((one) => (one.look = context.look));
      if (context.note) cells.push({ colId, text: context.note, look: "row-note" });
      return [...cells, { colId, text: headerName, look: "header" }];
    });
    const measured = measure(texts);
    widths = {};
    for (const column of grid.getColumns()) {
      const { colId, context, minWidth } = describe(column);
      const room = (look) => (look === "header" ? ARROW : 0);
      const needs = texts.map(({ look, ...one }, at) => (one.colId === colId ? measured[at] + room(look) : 0));
      const need = context ? Math.ceil(Math.max(...needs) + SIDES[size]) : minWidth;
      widths[colId] = colId === "pair" ? Math.min(need, MAX_PAIR[size]) : need;
    }
    known = key;
    return widths;
  }

  const describe = (column) => ({ colId: column.getColId(), ...column.getColDef() });

  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ noteNames, columnWidths }));
})();
