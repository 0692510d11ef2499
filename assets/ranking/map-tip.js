// The figures of the tile under the pointer, or of the one with focus.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const { priceText, changeText, shareText, amountText } = window.trackerNotation;
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const DISTANCE = 14; // pixels from the pointer
  const MARGIN = 4; // pixels to the edge of the map

  /** @type {(tag: string, text: string) => HTMLElement} */
  function element(tag, text) {
    const made = document.createElement(tag);
    made.textContent = text;
    return made;
  }

  /**
   * @param {Row} row
   * @returns {HTMLElement[]}
   */
  function contentOf(row) {
    const figures = [
      ["Price", priceText(row.price)],
      ["1 h", changeText(row.change_1h)],
      ["24 h", changeText(row.change_24h)],
      ["Volatility", shareText(row.volatility)],
      ["Turnover", amountText(row.turnover)],
    ];
    if (row.age) figures.unshift(["Price is", row.age + " old"]);
    const list = document.createElement("dl");
    list.append(...figures.flatMap(([label, value]) => [element("dt", label), element("dd", value)]));
    return [element("strong", row.pair), element("span", row.market), list];
  }

  /** @type {Ranking["showMapTip"]} */
  function showMapTip(event, row, tile) {
    const tip = /** @type {HTMLElement} */ (document.getElementById(ids.mapTip));
    tip.replaceChildren(...contentOf(row));
    tip.hidden = false;
    if (!tip.offsetParent) return; // hidden on a phone, which has no room for it
    const frame = tip.offsetParent.getBoundingClientRect();
    const box = tile.getBoundingClientRect();
    const [x, y] = event instanceof MouseEvent ? [event.clientX, event.clientY] : [box.right, box.bottom];
    const right = x - frame.left + DISTANCE;
    const left = x - frame.left - DISTANCE - tip.offsetWidth;
    const lowest = frame.height - tip.offsetHeight - MARGIN;
    tip.style.left = Math.max(MARGIN, right + tip.offsetWidth > frame.width ? left : right) + "px";
    tip.style.top = Math.max(MARGIN, Math.min(y - frame.top + DISTANCE, lowest)) + "px";
  }

  function hideMapTip() {
    const tip = document.getElementById(ids.mapTip);
    if (tip) tip.hidden = true;
  }

  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ showMapTip, hideMapTip }));
})();
