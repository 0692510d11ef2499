// The status bar of every page: the connection, exchanges that fail, backfills under way and warnings.
(function () {
  "use strict";
  const { wholeText, clockText } = window.trackerNotation;
  const { contentOf } = window.trackerMarkup;
  const { noUpdate, register } = window.trackerDash;

  /** @type {(className: string, ...children: MarkupNode[]) => MarkupElement} */
  const span = (className, ...children) => ["span", { className }, ...children];

  /**
   * The class, the text and the detail of the overall state.
   * @param {Live} live
   */
  function stateOf(live) {
    const lastTick = live.minute ? "last tick " + clockText(live.minute) : "no tick yet";
    if (live.connection === "lost") return ["is-bad", "Connection lost, retrying", "since " + clockText(live.since)];
    if (live.connection === "database")
      return ["is-bad", "Database unavailable, retrying", "since " + clockText(live.since)];
    if (live.database_away_since) return ["is-bad", "Database unavailable, retrying", lastTick];
    if (live.cannot_write) return ["is-bad", "Database cannot be written", live.cannot_write + ", " + lastTick];
    if (live.minute === null) return ["is-waiting", "Waiting for the first tick", ""];
    if (live.stale) return ["is-warning", "Stale data", lastTick];
    if (live.stale_metrics) {
      const counts = wholeText(live.stale_metrics) + " of " + wholeText(live.tracked);
      return ["is-warning", counts + " stale", lastTick];
    }
    return ["is-good", "Live", lastTick];
  }

  /** @param {LiveExchange} exchange */
  function exchangeNotices({ market, failing_since: since, error, note }) {
    if (since) {
      const reason = " since " + clockText(since) + ": " + (error || "");
      return [span("notice is-bad", span("strong", market + " unreachable"), span("quiet", reason))];
    }
    return note ? [span("notice is-warning", span("strong", market), span("quiet", note))] : [];
  }

  /** @param {LiveBackfill} backfill */
  function backfillNotice({ market, done, total }) {
    const label = "Backfill of " + market;
    /** @type {MarkupElement} */
    const bar = ["progress", { value: done, max: Math.max(total, 1), className: "thin-bar", "aria-label": label }];
    return span("notice", span("", "Backfill " + market), bar, span("num quiet", done + "/" + total));
  }

  /** @param {Live} live */
  const noticesOf = (live) => [
    ...(live.exchanges || []).flatMap(exchangeNotices),
    ...(live.backfills || []).map(backfillNotice),
    ...(live.warnings || []).map((warning) => span("notice is-warning", warning)),
  ];

  /** @param {Live | null} live */
  function connection(live) {
    if (!live) return [noUpdate(), noUpdate()];
    const [look, text, detail] = stateOf(live);
    const state = span("state", span("dot"), span("strong", text), span("quiet num", detail));
    const notices = live.connection === "ok" ? noticesOf(live) : [];
    return [contentOf([state, ...notices]), "status-bar " + look];
  }

  register({ connection });
})();
