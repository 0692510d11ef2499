// What surrounds every page: routing, theme, tab title, connection status, alert banner.
(function () {
  "use strict";
  const { priceText, multipleText, wholeText, clockText, chooseZone, zoneChoice, zoneName } = window.trackerNotation;
  const { contentOf } = window.trackerMarkup;
  const { at, within } = window.trackerPaths;
  const MAX_IN_BANNER = 3;
  const FIRING = at("/alerting?state=open&unseen=1");
  const nothing = () => window.dash_clientside.no_update;

  // Plotly's finance bundle has all the traces drawn here at a quarter of the size. The renderer names the
  // full one at start-up; the chart component asks only when the first chart appears.
  const SMALL_PLOTLY = at("/assets/vendor/plotly-finance-4.1.0.min.js");
  Object.defineProperty(window, "_dashPlotlyJSURL", { get: () => SMALL_PLOTLY, set: () => {} });

  const link = (href, className, text) => ["a", { href, className, "data-link": "" }, text];
  const span = (className, ...children) => ["span", { className }, ...children];
  const icon = (name) => ["span", { className: "icon icon-" + name, "aria-hidden": "true" }];

  // The ranking, a metric, the comparison and the status tell their times anew where they stand when another zone is
  // chosen, so that what the viewer made of them stays; other pages are built again.
  const TELL_ANEW = /^\/($|metric\/|compare\/?$|status\/?$)/;

  function view(address, retries, zone) {
    const path = within(address || "/");
    const triggers = window.dash_clientside.callback_context.triggered.map((one) => one.prop_id.split(".")[0]);
    const onlyZone = triggers.length === 1 && triggers[0] === window.trackerIds.zoneName;
    const writesRule = /[?&]edit=/.test(window.location.search); // what stands in the form stays too
    if (onlyZone && (writesRule || TELL_ANEW.test(path))) return nothing();
    return { path, search: window.location.search, zone, retries: retries || 0 };
  }

  let pageTitle = "";
  let fired = 0;

  function retitle(page) {
    pageTitle = page || "";
    document.title = (fired ? "(" + fired + ") " : "") + (pageTitle ? pageTitle + " · " : "") + "Data Tracker";
  }

  function title(page, live) {
    fired = (live && live.unattended) || 0;
    const triggers = window.dash_clientside.callback_context.triggered;
    const renamed = triggers.some((one) => one.prop_id.startsWith(window.trackerIds.title + "."));
    retitle(renamed ? page : pageTitle);
  }

  // ---- theme
  const systemDark = window.matchMedia("(prefers-color-scheme: dark)");

  function chosenTheme() {
    try {
      return localStorage.getItem("theme") || "system";
    } catch {
      return "system"; // storage can be forbidden; the choice then lasts until the tab closes
    }
  }

  function paint(choice) {
    const mode = choice === "dark" || (choice !== "light" && systemDark.matches) ? "dark" : "light";
    document.documentElement.dataset.bsTheme = mode;
    document.documentElement.dataset.agThemeMode = mode;
  }

  let themeKnown = false;

  function theme(choice) {
    if (!themeKnown) {
      themeKnown = true;
      return chosenTheme();
    }
    try {
      localStorage.setItem("theme", choice);
    } catch {
      // see chosenTheme
    }
    paint(choice);
    return nothing();
  }

  systemDark.addEventListener("change", () => paint(chosenTheme()));

  // ---- time zone
  let zoneKnown = false;

  function zone(choice) {
    if (!zoneKnown) {
      zoneKnown = true;
      return [zoneChoice(), zoneName()];
    }
    const before = zoneName();
    chooseZone(choice);
    if (zoneName() !== before) window.trackerChart.keepPlaces();
    return [nothing(), zoneName()];
  }

  // ---- connection status
  const staleText = (live) => wholeText(live.stale_metrics) + " of " + wholeText(live.tracked) + " stale";

  function headState(live) {
    const period = live.minute ? "last tick " + clockText(live.minute) : "no tick yet";
    if (live.connection === "lost") return ["is-bad", "Connection lost, retrying", "since " + clockText(live.since)];
    if (live.connection === "database")
      return ["is-bad", "Database unavailable, retrying", "since " + clockText(live.since)];
    if (live.database_away_since) return ["is-bad", "Database unavailable, retrying", period];
    if (live.cannot_write) return ["is-bad", "Database cannot be written", live.cannot_write + ", " + period];
    if (live.minute === null) return ["is-waiting", "Waiting for the first tick", ""];
    if (live.stale) return ["is-warning", "Stale data", "last tick " + clockText(live.minute)];
    if (live.stale_metrics) return ["is-warning", staleText(live), period];
    return ["is-good", "Live", period];
  }

  function progress(state) {
    const done = { value: state.done, max: Math.max(state.total, 1) };
    const bar = ["progress", { ...done, className: "thin-bar", "aria-label": "Backfill of " + state.market }];
    return span("notice", span("", "Backfill " + state.market), bar, span("num quiet", state.done + "/" + state.total));
  }

  function connection(live) {
    if (!live) return [nothing(), nothing()];
    const [look, words, detail] = headState(live);
    const notices = [];
    if (live.connection === "ok") {
      for (const exchange of live.exchanges || []) {
        if (!exchange.failing_since) {
          if (exchange.note)
            notices.push(span("notice is-warning", span("strong", exchange.market), span("quiet", exchange.note)));
          continue;
        }
        const since = " since " + clockText(exchange.failing_since);
        notices.push(
          span(
            "notice is-bad",
            span("strong", exchange.market + " unreachable"),
            span("quiet", since + ": " + (exchange.error || "")),
          ),
        );
      }
      notices.push(...(live.backfills || []).map(progress));
      for (const warning of live.warnings || []) notices.push(span("notice is-warning", warning));
    }
    const state = span("state", span("dot"), span("strong", words), span("quiet num", detail));
    return [contentOf([state, ...notices]), "status-bar " + look];
  }

  // ---- alert banner
  let announced = []; // the numbers of the alerts that were told last

  function causeOf(alert) {
    if (alert.condition) return [alert.rule + ": " + alert.condition];
    const average = span("wide-only", " its average of " + priceText(alert.average));
    return [multipleText(alert.price, alert.average), average];
  }

  function banner(live) {
    const open = (live && live.alerts) || [];
    announced = open.map((alert) => alert.id);
    if (!open.length) return [contentOf([]), "alert-banner is-empty"];
    const lines = open.slice(0, MAX_IN_BANNER).map((alert) => {
      const label = "Acknowledge " + alert.base + "/" + alert.quote + " on " + alert.market;
      const press = {
        className: "banner-button",
        type: "button",
        title: "Acknowledge",
        "aria-label": label,
        "data-acknowledge": alert.id + "",
      };
      return [
        "div",
        { className: "alert-line", key: alert.id + "" },
        icon("bell"),
        link(at("/metric/" + alert.metric_id), "alert-pair", alert.base + "/" + alert.quote),
        span("market", alert.market),
        span("num strong", priceText(alert.price)),
        span("num alert-cause", ...causeOf(alert)),
        alert.no_data_since
          ? span("chip is-warning", "No data since " + clockText(alert.no_data_since))
          : span("num quiet", clockText(alert.fired_at)),
        ["button", press, icon("check")],
      ];
    });
    const more = live.unattended - lines.length;
    if (more > 0) lines.push(link(FIRING, "alert-more", "and " + more.toLocaleString("en-US") + " more"));
    // A phone has room for the newest alone, and the count of all in the place of the others; see tracker.css.
    if (open.length > 1) lines.push(link(FIRING, "alert-count", live.unattended.toLocaleString("en-US") + " open"));
    return [contentOf(lines), open.length > 1 ? "alert-banner" : "alert-banner is-single"];
  }

  async function acknowledge(path, body) {
    const { set_props } = window.dash_clientside;
    let trouble = "The server did not answer.";
    try {
      const answer = await fetch(at(path), {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
      if (answer.ok) return set_props(window.trackerIds.poll, { n_intervals: -Date.now() });
      trouble = (await answer.json()).detail;
    } catch {
      // told below
    }
    set_props(window.trackerIds.failed, { data: [] });
    set_props(window.trackerIds.toastText, { children: "Not acknowledged: " + trouble });
    set_props(window.trackerIds.toast, { is_open: true });
  }

  document.addEventListener("click", (event) => {
    /** @type {HTMLElement | null} */
    const button = /** @type {Element} */ (event.target).closest("[data-acknowledge]");
    if (button) acknowledge("/alerts/" + button.dataset.acknowledge + "/acknowledge", {});
  });

  function acknowledgeAll(clicks) {
    if (clicks && announced.length) acknowledge("/alerts/acknowledge", { up_to: Math.max(...announced) });
    return nothing();
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.tracker = Object.assign(window.dash_clientside.tracker || {}, {
    view,
    title,
    retitle,
    theme,
    zone,
    connection,
    banner,
    acknowledgeAll,
  });
})();
