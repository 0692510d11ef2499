// The alert banner of every page: the newest unacknowledged alerts, and buttons that acknowledge them.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const { priceText, multipleText, wholeText, clockText } = window.trackerNotation;
  const { contentOf } = window.trackerMarkup;
  const { at } = window.trackerPaths;
  const { noUpdate, register, setProps } = window.trackerDash;
  const MAX_ALERTS = 3;
  const ALL_OPEN = at("/alerting?state=open&unseen=1");

  /** @type {number[]} */
  let shown = []; // ids of the alerts received last

  /** @type {(className: string, ...children: MarkupNode[]) => MarkupElement} */
  const span = (className, ...children) => ["span", { className }, ...children];
  /** @type {(href: string, className: string, text: string) => MarkupElement} */
  const link = (href, className, text) => ["a", { href, className, "data-link": "" }, text];
  /** @type {(name: string) => MarkupElement} */
  const icon = (name) => ["span", { className: "icon icon-" + name, "aria-hidden": "true" }];

  /**
   * @param {Alert} alert
   * @returns {MarkupNode[]}
   */
  function causeOf(alert) {
    if (alert.condition) return [alert.rule + ": " + alert.condition];
    const average = span("wide-only", " its average of " + priceText(alert.average));
    return [multipleText(alert.price, alert.average), average];
  }

  /**
   * @param {Alert} alert
   * @returns {MarkupElement}
   */
  function acknowledgeButton({ id, base, quote, market }) {
    const properties = {
      className: "banner-button",
      type: "button",
      title: "Acknowledge",
      "aria-label": "Acknowledge " + base + "/" + quote + " on " + market,
      "data-acknowledge": String(id),
    };
    return ["button", properties, icon("check")];
  }

  /**
   * @param {Alert} alert
   * @returns {MarkupElement}
   */
  const lineOf = (alert) => [
    "div",
    { className: "alert-line", key: String(alert.id) },
    icon("bell"),
    link(at("/metric/" + alert.metric_id), "alert-pair", alert.base + "/" + alert.quote),
    span("market", alert.market),
    span("num strong", priceText(alert.price)),
    span("num alert-cause", ...causeOf(alert)),
    alert.no_data_since
      ? span("chip is-warning", "No data since " + clockText(alert.no_data_since))
      : span("num quiet", clockText(alert.fired_at)),
    acknowledgeButton(alert),
  ];

  /** @param {Live | null} live */
  function banner(live) {
    const alerts = live?.alerts || [];
    const total = live?.["unattended"] || 0;
    shown = alerts.map((alert) => alert.id);
    if (!alerts.length) return [contentOf([]), "alert-banner is-empty"];
    const lines = alerts.slice(0, MAX_ALERTS).map(lineOf);
    const more = total - lines.length;
    if (more > 0) lines.push(link(ALL_OPEN, "alert-more", "and " + wholeText(more) + " more"));
    // A phone has room for the newest alone, and shows the number of all in place of the others; see tracker.css.
    if (alerts.length > 1) lines.push(link(ALL_OPEN, "alert-count", wholeText(total) + " open"));
    return [contentOf(lines), alerts.length > 1 ? "alert-banner" : "alert-banner is-single"];
  }

  /**
   * @param {string} path
   * @param {object} body
   */
  async function acknowledge(path, body) {
    let problem = "The server did not answer.";
    try {
      const answer = await fetch(at(path), {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
      if (answer.ok) return setProps(ids.poll, { n_intervals: -Date.now() });
      problem = (await answer.json()).detail;
    } catch {
      // The notice below says so.
    }
    setProps(ids.failed, { data: [] });
    setProps(ids.toastText, { children: "Not acknowledged: " + problem });
    setProps(ids.toast, { is_open: true });
  }

  document.addEventListener("click", (event) => {
    /** @type {HTMLElement | null} */
    const button = /** @type {Element} */ (event.target).closest("[data-acknowledge]");
    if (button) acknowledge("/alerts/" + button.dataset.acknowledge + "/acknowledge", {});
  });

  /** @param {number | null} clicks */
  function acknowledgeAll(clicks) {
    if (clicks && shown.length) acknowledge("/alerts/acknowledge", { up_to: Math.max(...shown) });
    return noUpdate();
  }

  register({ banner, acknowledgeAll });
})();
