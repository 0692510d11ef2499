// The figures above the ranking. The page alone counts down to the next tick.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const notation = window.trackerNotation;
  const { noUpdate, register, setProps } = window.trackerDash;
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const MAX_COUNTED = 1000; // alerts
  /** @type {Live | null} */
  let latest = null; // state received last
  let counted = ""; // the day and the newest alert that the count of the day's alerts is of

  /**
   * Counts the alerts of the viewer's day. Requested only when the newest alert, or the day, has changed.
   * @param {Live | null} live
   */
  async function countAlerts(live) {
    if (!live || live.connection !== "ok") return;
    const midnight = new Date();
    midnight.setHours(0, 0, 0, 0);
    const since = new Date(midnight.getTime() - 1000).toISOString(); // alerts at midnight belong to the new day
    const newest = Math.max(0, ...live.alerts.map((alert) => alert.id));
    if (counted === since + newest) return;
    try {
      const query = new URLSearchParams({ since, limit: String(MAX_COUNTED) });
      const answer = await fetch(window.trackerPaths.at("/alerts?") + query, { cache: "no-cache" });
      if (!answer.ok) return; // retried with the next state
      const { alerts } = await answer.json();
      const number = notation.wholeText(alerts.length) + (alerts.length === MAX_COUNTED ? "+" : "");
      counted = since + newest;
      setProps(ids.alerted, { children: number });
    } catch {
      // The status bar says that the connection is lost.
    }
  }

  function recountAlerts() {
    counted = "";
    countAlerts(latest);
  }

  /** @param {Live | null} live */
  function summary(live) {
    latest = live;
    countDown();
    if (!live || live.tracked === undefined) return Array(4).fill(noUpdate());
    countAlerts(live);
    const counts = [live.tracked, live.live, live.stale_metrics].map((count) => notation.wholeText(count));
    return [...counts, notation.clockText(live.minute)];
  }

  /** Seconds to the next tick: at most a period, whatever this machine's clock says. */
  function secondsToNextTick() {
    if (!latest || latest.connection !== "ok" || !latest.minute || latest.stale) return null;
    const period = latest.period * 1000;
    const since = (Date.now() - Date.parse(latest.minute)) % period;
    return Math.ceil((period - (since < 0 ? since + period : since)) / 1000);
  }

  function countDown() {
    const figure = document.getElementById(ids.nextTick);
    if (!figure) return;
    const seconds = secondsToNextTick();
    const text =
      seconds === null
        ? notation.wholeText(null)
        : Math.floor(seconds / 60) + ":" + String(seconds % 60).padStart(2, "0");
    if (figure.textContent !== text) figure.textContent = text;
  }

  setInterval(countDown, 1000);

  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ recountAlerts }));
  register({ summary });
})();
