// What every page has: its address, tab title, theme and time zone.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const { chooseZone, zoneChoice, zoneName } = window.trackerNotation;
  const { noUpdate, register, triggeredIds } = window.trackerDash;
  const { at, within } = window.trackerPaths;

  // Plotly's finance bundle has all traces drawn here at a quarter of the size. Dash's renderer names the full one at
  // start-up; the chart component reads the name only when the first chart appears.
  const SMALL_PLOTLY = at("/assets/vendor/plotly-finance-4.1.0.min.js");
  Object.defineProperty(window, "_dashPlotlyJSURL", { get: () => SMALL_PLOTLY, set: () => {} });

  // ---- address

  // The ranking, a metric, the comparison and the status page renew their times in place when the zone changes, so that
  // what the viewer did there stays. Other pages are built again.
  const RENEWS_TIMES = /^\/($|metric\/|compare\/?$|status\/?$)/;

  /**
   * The page to show.
   * @param {string | null} address
   * @param {number | null} retries
   * @param {string} zone
   */
  function view(address, retries, zone) {
    const path = within(address || "/");
    const triggers = triggeredIds();
    const isZoneAlone = triggers.length === 1 && triggers[0] === ids.zoneName;
    const editsRule = /[?&]edit=/.test(window.location.search); // the form's content stays too
    if (isZoneAlone && (editsRule || RENEWS_TIMES.test(path))) return noUpdate();
    return { path, search: window.location.search, zone, retries: retries || 0 };
  }

  // ---- tab title
  let pageTitle = "";
  let openAlerts = 0;

  /** @param {string | null} page */
  function retitle(page) {
    pageTitle = page || "";
    document.title =
      (openAlerts ? "(" + openAlerts + ") " : "") + (pageTitle ? pageTitle + " · " : "") + "Data Tracker";
  }

  /**
   * @param {string | null} page
   * @param {Live | null} live
   */
  function title(page, live) {
    openAlerts = live?.["unattended"] || 0;
    retitle(triggeredIds().includes(ids.title) ? page : pageTitle);
  }

  // ---- theme
  const systemDark = window.matchMedia("(prefers-color-scheme: dark)");

  function chosenTheme() {
    try {
      return localStorage.getItem("theme") || "system";
    } catch {
      return "system"; // storage can be forbidden: the choice then lasts until the tab closes
    }
  }

  /** @param {string} choice */
  function setTheme(choice) {
    const mode = choice === "dark" || (choice !== "light" && systemDark.matches) ? "dark" : "light";
    document.documentElement.dataset.bsTheme = mode;
    document.documentElement.dataset.agThemeMode = mode;
  }

  let isThemeKnown = false;

  /** @param {string} choice the control's value, which is not the viewer's at first */
  function theme(choice) {
    if (!isThemeKnown) {
      isThemeKnown = true;
      return chosenTheme();
    }
    try {
      localStorage.setItem("theme", choice);
    } catch {
      // Storage can be forbidden.
    }
    setTheme(choice);
    return noUpdate();
  }

  systemDark.addEventListener("change", () => setTheme(chosenTheme()));

  // ---- time zone
  let isZoneKnown = false;

  /** @param {string} choice the control's value, which is not the viewer's at first */
  function zone(choice) {
    if (!isZoneKnown) {
      isZoneKnown = true;
      return [zoneChoice(), zoneName()];
    }
    const before = zoneName();
    chooseZone(choice);
    if (zoneName() !== before) window.trackerChart.keepZoom();
    return [noUpdate(), zoneName()];
  }

  register({ view, title, retitle, theme, zone });
})();
