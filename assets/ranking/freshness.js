// How current a row is: the age of its price, and how much of its window is known.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const notation = window.trackerNotation;
  const { register, registerGridFunctions, setProps } = window.trackerDash;
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const RENEWAL = 30000; // ms between two renewals of ages while no tick comes
  /** @type {Live | null} */
  let latest = null; // state received last

  /** @type {Ranking["setLive"]} */
  function setLive(live) {
    latest = live;
  }

  /**
   * The age as of the last tick, by the server's clock. If ticks are overdue, only this machine's clock goes on.
   * @type {Ranking["secondsOld"]}
   */
  function secondsOld(moment) {
    const tick = latest && latest.minute ? Date.parse(latest.minute) : 0;
    const now = latest && latest.minute && !latest.stale ? tick : Math.max(tick, Date.now());
    return (now - Date.parse(moment)) / 1000;
  }

  // The window's hours, and the coverage from which it counts as full (layouts/ranking.py).
  function windowOf() {
    const { hours = "24", full = "1" } = document.getElementById(ids.ranking)?.dataset || {};
    return { hours: Number(hours), full: Number(full) };
  }

  /**
   * An inactive metric is not stale: its mark says why it has no new price.
   * @type {Ranking["freshness"]}
   */
  function freshness({ active, stale, updated_at: updated, price, coverage }) {
    const { hours, full } = windowOf();
    const isFull = coverage >= full;
    const old = updated ? secondsOld(updated) : null;
    return {
      stale: Boolean(stale && active),
      old,
      age: stale && active && old !== null ? notation.durationText(old) : "",
      partial: isFull || !active || price == null ? "" : notation.windowText(coverage, hours),
      full: isFull,
    };
  }

  // Without ticks there are no new rows, but ages grow.
  setInterval(() => {
    if (latest && latest.stale && document.getElementById(ids.grid)) ranking.rerank();
  }, RENEWAL);

  // ---- the figure above the table that filters by stale rows

  /** @type {Ranking["showStale"]} */
  function showStale(chosen) {
    const title = chosen ? "Show all rows again" : "Show only these";
    setProps(ids.staleChoice, { "aria-pressed": String(chosen), title });
  }

  /** @param {number | null} clicks */
  function chooseStale(clicks) {
    if (clicks) ranking.changeView({ age: ranking.view().age ? "" : "stale" });
  }

  registerGridFunctions({
    nameValue: (/** @type {Row} */ { pair, mark, age, partial }) =>
      [pair, mark, age || partial].filter(Boolean).join(" "),
    updatedText: (/** @type {number | null} */ seconds) =>
      seconds == null ? notation.priceText(null) : notation.durationText(seconds) + " ago",
    updatedTitle: (/** @type {Row} */ { updated }) => (updated ? "Price of " + notation.clockText(updated) : ""),
    partialTitle: (/** @type {Row} */ { partial }) => (partial ? "Rests on " + partial : ""),
  });

  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ setLive, secondsOld, freshness, showStale }));
  register({ chooseStale });
})();
