// How far a row can be trusted: whether its price is of the present, how old it is, and whether its window is full.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const notation = window.trackerNotation;
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const WATCH = 30000; // ms between two looks at ages that grow although no tick comes
  /** @type {Live | null} */
  let told = null; // what the poller told last

  function hear(live) {
    told = live;
  }

  // As of the last tick, by the server's clock; where no tick has come, nothing but this machine's tells how long.
  function secondsOld(moment) {
    const tick = told && told.minute ? Date.parse(told.minute) : 0;
    const now = told && told.minute && !told.stale ? tick : Math.max(tick, Date.now());
    return (now - Date.parse(moment)) / 1000;
  }

  // What the page says of its window.
  function wanted() {
    const { hours = "24", full = "1" } = document.getElementById(ids.ranking)?.dataset || {};
    return { hours: Number(hours), full: Number(full) };
  }

  // What does not trade has a mark of its own that says why.
  /** @type {Ranking["trust"]} */
  function trust({ active, stale, updated_at: updated, price, coverage }) {
    const { hours, full } = wanted();
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

  // Without ticks there are no new rows, and ages grow all the same.
  setInterval(() => {
    if (told && told.stale && document.getElementById(ids.grid)) ranking.rankAnew();
  }, WATCH);

  // ---- the figure above the table that chooses the stale ones
  function showStale(chosen) {
    const title = chosen ? "Show all rows again" : "Show only these";
    window.dash_clientside.set_props(ids.staleChoice, { "aria-pressed": chosen + "", title });
  }

  function chooseStale(clicks) {
    if (clicks) ranking.change({ age: ranking.view().age ? "" : "stale" });
  }

  const functions = (window.dashAgGridFunctions = window.dashAgGridFunctions || {});
  Object.assign(functions, {
    nameValue: ({ pair, mark, age, partial }) => [pair, mark, age || partial].filter(Boolean).join(" "),
    updatedText: (seconds) => (seconds == null ? notation.priceText(null) : notation.durationText(seconds) + " ago"),
    updatedTitle: ({ updated }) => (updated ? "Price of " + notation.clockText(updated) : ""),
    partialTitle: (row) => (row.partial ? "Rests on " + row.partial : ""),
  });

  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ hear, secondsOld, trust, showStale }));
  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.tracker = Object.assign(window.dash_clientside.tracker || {}, { chooseStale });
})();
