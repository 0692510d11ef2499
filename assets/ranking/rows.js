// Fetches the ranking's rows: at each new revision, but only once a period while history is filled in.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const { at } = window.trackerPaths;
  const { noUpdate, register, setProps } = window.trackerDash;
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const MANY = 1000; // metrics; if there are more, the first of them are fetched before the others
  const FIRST = 100;

  /**
   * A request for rows: the state that it was made for, and when. `urgent` is the part of the state that is shown at once.
   * @typedef {{ revision: number | null, stale: boolean, minute?: string | null, urgent: string | null, at: number }} Request
   */

  /** @type {HTMLElement | null} */
  let page = null; // the element whose rows these are
  /** @type {Request | null} */
  let latest = null; // the last request
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer; // requests rows with filled in history
  let arrived = -1; // when the rows in the grid were requested
  /** @type {Metric[]} */
  let metrics = []; // in the grid

  /** @param {Record<string, unknown[]>} columns */
  function fromColumns(columns) {
    const named = Object.entries(columns);
    return columns.id.map((_, place) => {
      /** @type {Record<string, unknown>} */
      const metric = {};
      for (const [name, values] of named) metric[name] = values[place];
      return /** @type {Metric} */ (/** @type {unknown} */ (metric));
    });
  }

  const rerank = () => ranking.setRows(metrics.length, ranking.rowMaker(metrics));

  // Fetches the first metrics by rank, if the default view shows these first.
  async function showFirst() {
    if (!ranking.isDefaultView() || ranking.hasFavourites()) return;
    try {
      const query = new URLSearchParams({ limit: String(FIRST) });
      const answer = await fetch(at("/metrics?") + query, { cache: "no-cache" });
      if (!answer.ok) return;
      metrics = (await answer.json()).metrics;
      await rerank();
      showTable(true);
    } catch {
      // All rows are requested next.
    }
  }

  /**
   * Shows the table, or what to do if there are no metrics. The callback's result cannot: Dash uses only that of the last
   * call, and the poller may call again before these rows arrive.
   * @param {boolean} hasRows
   */
  function showTable(hasRows) {
    if (!document.getElementById(ids.frame)) return;
    setProps(ids.frame, { className: hasRows ? "grid-frame" : "grid-frame is-hidden" });
    setProps(ids.nothingYet, { className: hasRows ? "empty-state is-hidden" : "empty-state" });
  }

  /**
   * Whether only history has changed, whose rows are not due yet; they are then requested a period after the last.
   * @param {Live | null} live
   */
  function isHistoryAlone(live) {
    const wait = live ? window.trackerLive.waitAfter(latest, live) : 0;
    if (wait === 0) return false;
    clearTimeout(timer);
    timer = setTimeout(() => document.getElementById(ids.ranking) === page && updateRows(live), wait);
    return true;
  }

  /** @type {(before: Request, now: Request) => boolean} */
  const isNextTick = (before, now) =>
    before.revision !== null && now.revision === before.revision + 1 && now.minute !== before.minute;

  /**
   * The request for the rows of a state; null if they are there, or cannot be had now.
   * @param {Live | null} live
   * @returns {Request | null}
   */
  function requestFor(live) {
    const revision = live ? live.revision : null;
    const stale = Boolean(live?.stale);
    if (live && live.connection !== "ok") return null;
    if ((latest && latest.revision === revision && latest.stale === stale) || isHistoryAlone(live)) return null;
    const urgent = live && live.backfills ? window.trackerLive.urgentPart(live) : null;
    return { revision, stale, minute: live?.minute, urgent, at: performance.now() };
  }

  /**
   * Fetches all metrics; false if that failed or newer ones have arrived.
   * @param {Request} request
   * @param {Request | null} before to be the last request again after a failure: the poller then calls once more
   */
  async function fetchMetrics(request, before) {
    try {
      const answer = await fetch(at("/table"), { cache: "no-cache" });
      if (!answer.ok) throw new Error(answer.statusText);
      const { columns } = await answer.json();
      if (request.at < arrived) return false;
      metrics = fromColumns(columns);
      arrived = request.at;
      return true;
    } catch {
      if (latest === request) latest = before;
      return false;
    }
  }

  /** @param {Live | null} live */
  async function updateRows(live) {
    // A new page is recognised by its element: its first call may come from the poller.
    const element = document.getElementById(ids.ranking);
    if (page === null || page !== element) {
      page = element;
      latest = null;
      ranking.restoreView();
      ranking.setUpGrid();
    }
    ranking.setLive(live);
    const unchanged = [noUpdate(), noUpdate()];
    const request = requestFor(live);
    if (!request) return unchanged;
    const before = latest;
    latest = request;
    clearTimeout(timer);
    if (!before && live && live.tracked > MANY) await showFirst();
    if (!(await fetchMetrics(request, before))) return unchanged;
    ranking.setFilterOptions(metrics);
    if (ranking.setLongestNames(metrics)) ranking.fitColumns(await ranking.gridApi());
    await rerank();
    ranking.followTick(request.minute, before !== null && !isNextTick(before, request));
    showTable(metrics.length > 0);
    return unchanged;
  }

  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ rerank }));
  register({ updateRows });
})();
