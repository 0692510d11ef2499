// Polls `/live`: one small request about every 1.5 s. The store is written only when the answer changes.
(function () {
  "use strict";
  const { noUpdate, register, setProps } = window.trackerDash;
  const TIMEOUT = 8000; // ms until an unanswered request counts as a lost connection

  /** @type {Promise<Live | NoUpdate> | null} */
  let pending = null; // the request under way
  /** @type {string | null} */
  let etag = null; // of the last answer
  /** @type {Live | null} */
  let last = null; // the value of the store

  /** @param {Live} next */
  function changed(next) {
    last = next;
    return next;
  }

  /** @param {Exclude<Live["connection"], "ok">} connection */
  function failed(connection) {
    if (last && last.connection === connection) return noUpdate();
    etag = null;
    const since = new Date().toISOString();
    return changed(/** @type {Live} */ ({ ...last, connection, since })); // before the first answer there is no more
  }

  async function request() {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), TIMEOUT);
    try {
      const answer = await fetch(window.trackerPaths.at("/live"), { cache: "no-cache", signal: abort.signal });
      if (answer.status === 503) return failed("database");
      if (!answer.ok) return failed("lost");
      const received = answer.headers.get("ETag");
      if (received && received === etag) return noUpdate();
      const body = await answer.json();
      etag = received;
      return changed({ ...body, connection: "ok" });
    } catch {
      return failed("lost");
    } finally {
      clearTimeout(timer);
      pending = null;
    }
  }

  // Calls during a request share its answer: Dash uses only the result of the last call.
  function poll() {
    if (document.hidden && last) return noUpdate();
    pending = pending || request();
    return pending;
  }

  // A tab that becomes visible is updated at once.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && last) setProps(window.trackerIds.poll, { n_intervals: -Date.now() });
  });

  /** @type {{ urgent: string, at: number } | null} */
  let renewed = null; // what was urgent at the last renewal of pages, and when that was

  /** @type {Window["trackerLive"]["urgentPart"]} */
  const urgentPart = (live) =>
    JSON.stringify([
      live.minute,
      live.stale,
      live.tracked,
      live.alerts,
      live["unattended"],
      (live.backfills || []).map((one) => one.market),
    ]);

  // Backfills raise the revision several times a second. Pages are renewed once a period while nothing else changes.
  /** @type {Window["trackerLive"]["waitAfter"]} */
  const waitAfter = (renewal, live) =>
    renewal && live.backfills?.length && renewal.urgent === urgentPart(live)
      ? Math.max(0, renewal.at + live.period * 1000 - performance.now())
      : 0;

  /** @param {Live} live */
  function isDue(live) {
    if (waitAfter(renewed, live) > 0) return false;
    renewed = { urgent: urgentPart(live), at: performance.now() };
    return true;
  }

  window.trackerLive = { urgentPart, waitAfter };
  register({
    poll,
    revision: (/** @type {Live | null} */ live, /** @type {number | null} */ known) =>
      !live || live.connection !== "ok" || live.revision === known || !isDue(live) ? noUpdate() : live.revision,
    // All prices become stale without a new revision: parts of pages that show ages are updated by this one.
    tickStale: (/** @type {Live | null} */ live, /** @type {boolean | null} */ known) =>
      !live || live.connection !== "ok" || live.stale === known ? noUpdate() : live.stale,
  });
})();
