// The light poller: one small request about every 1.5 s, and a store that is written only when something changed.
(function () {
  "use strict";
  const IMPATIENCE = 8000; // ms after which an unanswered request counts as a lost connection
  const nothing = () => window.dash_clientside.no_update;

  /** @type {Promise<any> | null} */
  let asking = null; // the answer that is on its way
  /** @type {string | null} */
  let tag = null; // names the last body that was taken over
  /** @type {Live | null} */
  let last = null; // what the store holds

  function changed(next) {
    last = next;
    return next;
  }

  function failed(connection) {
    if (last && last.connection === connection) return nothing();
    tag = null;
    return changed(Object.assign({}, last, { connection, since: new Date().toISOString() }));
  }

  async function ask() {
    const impatience = new AbortController();
    const timer = setTimeout(() => impatience.abort(), IMPATIENCE);
    try {
      const answer = await fetch(window.trackerPaths.at("/live"), { cache: "no-cache", signal: impatience.signal });
      if (answer.status === 503) return failed("database");
      if (!answer.ok) return failed("lost");
      const received = answer.headers.get("ETag");
      if (received && received === tag) return nothing();
      const body = await answer.json();
      tag = received;
      return changed(Object.assign(body, { connection: "ok" }));
    } catch {
      return failed("lost");
    } finally {
      clearTimeout(timer);
      asking = null;
    }
  }

  // While an answer is on its way, the same one is waited for: Dash hears only the call that came last.
  function poll() {
    if (document.hidden && last) return nothing();
    asking = asking || ask();
    return asking;
  }

  // Whoever comes back to the tab should not wait for the next round.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && last)
      window.dash_clientside.set_props(window.trackerIds.poll, { n_intervals: -Date.now() });
  });

  /** @type {{ changes: string, at: number } | null} */
  let passedOn = null; // with the last revision that pages were asked to show

  // What is shown at once: a tick, an alert, a metric that comes or goes, the beginning and the end of a backfill.
  const changesOf = (live) =>
    JSON.stringify([
      live.minute,
      live.stale,
      live.tracked,
      live.alerts,
      live.unattended,
      (live.backfills || []).map((one) => one.market),
    ]);

  window.trackerLive = { changesOf };

  // History that is being filled in raises the revision several times a second. Pages show it once a period.
  function isDue(live) {
    const changes = changesOf(live);
    const at = performance.now();
    const isHistoryAlone = passedOn && passedOn.changes === changes && live.backfills?.length;
    if (passedOn && isHistoryAlone && at - passedOn.at < live.period * 1000) return false;
    passedOn = { changes, at };
    return true;
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.tracker = Object.assign(window.dash_clientside.tracker || {}, {
    poll,
    revision(live, known) {
      if (!live || live.connection !== "ok" || live.revision === known || !isDue(live)) return nothing();
      return live.revision;
    },
    // All prices grow stale without a new revision: what tells their ages hears of it here.
    tickStale(live, known) {
      if (!live || live.connection !== "ok" || live.stale === known) return nothing();
      return live.stale;
    },
  });
})();
