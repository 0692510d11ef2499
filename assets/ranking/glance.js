// The figures above the ranking. The next tick counts down by the second, in the page alone.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const notation = window.trackerNotation;
  const MAX_COUNTED = 1000; // alerts
  /** @type {Live | null} */
  let latest = null; // what the poller told last
  let counted = ""; // which alerts the day's figure stands for

  // Today is the viewer's own. Asked for only when the newest alert, or the day, is another.
  async function countAlerts(live) {
    if (!live || live.connection !== "ok") return;
    const midnight = new Date();
    midnight.setHours(0, 0, 0, 0);
    const since = new Date(midnight.getTime() - 1000).toISOString(); // what fires at midnight is of the new day
    const newest = Math.max(0, ...live.alerts.map((alert) => alert.id));
    if (counted === since + newest) return;
    try {
      const answer = await fetch(
        window.trackerPaths.at("/alerts?") + new URLSearchParams({ since, limit: MAX_COUNTED + "" }),
        {
          cache: "no-cache",
        },
      );
      if (!answer.ok) return; // with what the poller tells next, then
      const { alerts } = await answer.json();
      const number = notation.wholeText(alerts.length) + (alerts.length === MAX_COUNTED ? "+" : "");
      counted = since + newest;
      window.dash_clientside.set_props(ids.alerted, { children: number });
    } catch {
      // the poller says that the connection is lost
    }
  }

  // For a page that has just come.
  function recountAlerts() {
    counted = "";
    countAlerts(latest);
  }

  function glance(live) {
    latest = live;
    countDown();
    if (!live || live.tracked === undefined) return Array(4).fill(window.dash_clientside.no_update);
    countAlerts(live);
    const counts = [live.tracked, live.live, live.stale_metrics].map(notation.wholeText);
    return [...counts, notation.clockText(live.minute)];
  }

  // Ticks stand a period apart, so that one is due at most a period from now whatever this machine's clock says.
  function untilNext() {
    if (!latest || latest.connection !== "ok" || !latest.minute || latest.stale) return null;
    const period = latest.period * 1000;
    const since = (Date.now() - Date.parse(latest.minute)) % period;
    return Math.ceil((period - (since < 0 ? since + period : since)) / 1000);
  }

  function countDown() {
    const place = document.getElementById(ids.nextTick);
    if (!place) return;
    const seconds = untilNext();
    const clock = (count) => Math.floor(count / 60) + ":" + ((count % 60) + "").padStart(2, "0");
    const text = seconds === null ? "\u2013" : clock(seconds);
    if (place.textContent !== text) place.textContent = text;
  }

  setInterval(countDown, 1000);

  Object.assign(
    (window.trackerRanking = window.trackerRanking || {}),
    /** @satisfies {Partial<Ranking>} */ ({ recountAlerts }),
  );
  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.tracker = Object.assign(window.dash_clientside.tracker || {}, { glance });
})();
