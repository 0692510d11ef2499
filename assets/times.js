// The time axes of charts: plotly places points in UTC and knows no zones, so ticks, and the time in a point's label, are
// written here, by the clock of the zone that a chart names in its layout.
(function () {
  "use strict";
  const SECOND = 1000;
  const MINUTE = 60 * SECOND;
  const HOUR = 60 * MINUTE;
  const DAY = 24 * HOUR;
  const STEPS = [
    ...[1, 5, 15, 30].map((seconds) => seconds * SECOND),
    ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE),
    ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR),
  ];
  const DAYS = [1, 2, 7, 14];
  const MONTHS = [1, 2, 3, 6, 12];
  const NAMES = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const TICK_WIDTH = 60; // pixels that a label has to itself
  const MAX_TICKS = 12;

  /** @type {Intl.DateTimeFormatOptions} */
  const wholeClock = {
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  };
  /** @type {Map<string, number | null>} */
  const ofDays = new Map(); // by zone and day; null where the clocks are changed

  function toldAhead(moment, zone) {
    const format = new Intl.DateTimeFormat("en-US", { ...wholeClock, timeZone: zone, hourCycle: "h23" });
    const told = Object.fromEntries(format.formatToParts(moment).map((part) => [part.type, Number(part.value)]));
    const clock = Date.UTC(told.year, told.month - 1, told.day, told.hour, told.minute, told.second);
    return clock - Math.floor(moment / 1000) * 1000;
  }

  // How many milliseconds the clocks of `zone` are ahead of UTC at a moment.
  function ahead(moment, zone) {
    const day = Math.floor(moment / DAY);
    const key = zone + " " + day;
    let known = ofDays.get(key);
    if (known === undefined) {
      const [first, last] = [toldAhead(day * DAY, zone), toldAhead((day + 1) * DAY - 1, zone)];
      known = first === last ? first : null;
      ofDays.set(key, known);
    }
    return known === null ? toldAhead(moment, zone) : known;
  }

  // What the clocks of `zone` show, as a date whose UTC parts are theirs; and the moment at which they show it.
  const shownAt = (moment, zone) => new Date(moment + ahead(moment, zone));
  function momentOf(shown, zone) {
    const near = shown - ahead(shown, zone);
    return shown - ahead(near, zone);
  }

  const clockOf = (/** @type {Date} */ shown) => shown.toISOString().slice(11, 16);
  const preciseClockOf = (/** @type {Date} */ shown) => shown.toISOString().slice(11, 19);
  const dayOf = (/** @type {Date} */ shown) => shown.getUTCDate() + " " + NAMES[shown.getUTCMonth()];
  const yearOf = (/** @type {Date} */ shown) => String(shown.getUTCFullYear());
  const monthOf = (/** @type {Date} */ shown) => NAMES[shown.getUTCMonth()];

  function withinDays(begin, end, step, zone) {
    const pace = [15 * MINUTE, 5 * MINUTE, MINUTE].find((each) => step % each === 0) || step; // as zones are ahead
    const found = [];
    for (let moment = Math.ceil(begin / pace) * pace; moment <= end; moment += pace) {
      if ((moment + ahead(moment, zone)) % step === 0) found.push(moment);
    }
    return found;
  }

  // The moments at which the clocks show the times that `shownOf` tells, one number after the other.
  function inOrder(begin, end, first, step, shownOf, zone) {
    const found = [];
    for (let number = Math.floor(first / step) * step; ; number += step) {
      const moment = momentOf(shownOf(number), zone);
      if (moment > end) return found;
      if (moment >= begin) found.push(moment);
    }
  }

  const THURSDAY = 3; // the first day of all was one, and weeks begin on Mondays
  const startOfDay = (number) => (number - THURSDAY) * DAY;
  const startOfMonth = (number) => Date.UTC(Math.floor(number / 12), number % 12);

  /** @type {ChartTimes["ticksOf"]} */
  function ticksOf(begin, end, zone, most) {
    const span = end - begin;
    const fits = (length) => span / length <= most;
    const start = shownAt(begin, zone);
    const step = STEPS.find(fits);
    const days = DAYS.find((count) => fits(count * DAY));
    const months = MONTHS.find((count) => fits(count * 30 * DAY)) || 12 * Math.ceil(span / (365 * DAY) / most);
    let moments;
    let [upper, lower] = [step && step < MINUTE ? preciseClockOf : clockOf, dayOf];
    if (step) moments = withinDays(begin, end, step, zone);
    else if (days) {
      [upper, lower] = [dayOf, yearOf];
      moments = inOrder(begin, end, Math.floor(start.getTime() / DAY) + THURSDAY, days, startOfDay, zone);
    } else {
      [upper, lower] = [monthOf, yearOf];
      const first = start.getUTCFullYear() * 12 + start.getUTCMonth();
      moments = inOrder(begin, end, first, months, startOfMonth, zone);
    }
    let before = "";
    const texts = moments.map((moment) => {
      const shown = shownAt(moment, zone);
      const below = lower(shown) === before ? "" : "<br>" + lower(shown);
      before = lower(shown);
      return upper(shown) + below;
    });
    return { moments, texts };
  }

  /** @type {ChartTimes["textsOf"]} */
  const textsOf = (x, zone) =>
    x.map((time) => {
      if (!time) return "";
      const shown = shownAt(Date.parse(time + "Z"), zone);
      return dayOf(shown) + " " + clockOf(shown);
    });

  // The ticks of an axis that shows what lies between two moments, as plotly takes them.
  function labelsOf(/** @type {Axis} */ axis, begin, end, zone) {
    const most = Math.min(MAX_TICKS, Math.max(1, axis._length / TICK_WIDTH));
    const { moments, texts } = ticksOf(begin, end, zone, most);
    const tickvals = moments.map((moment) => new Date(moment).toISOString().slice(0, 19)); // a number would be local
    return { tickvals, ticktext: texts };
  }

  /** @type {ChartTimes["moveOn"]} */
  function moveOn(plot, [begin, end], zone) {
    plot.layout.xaxis.autorangeoptions = { minallowed: begin, maxallowed: end };
    const axis = plot._fullLayout.xaxis;
    if (axis && axis.autorange) Object.assign(plot.layout.xaxis, labelsOf(axis, begin, end, zone));
  }

  // What of its ticks, and of its points' times, a chart does not tell yet.
  async function tell(/** @type {Plot} */ plot) {
    const zone = plot.layout && plot.layout.meta && plot.layout.meta.zone;
    if (!zone || !plot._fullLayout) return;
    const change = {};
    for (const [name, axis] of Object.entries(plot._fullLayout)) {
      if (!/^xaxis\d*$/.test(name) || axis.type !== "date") continue;
      const drawn = plot.layout[name] || {};
      const [begin, end] = axis.range.map((edge) => axis.r2l(edge));
      const { tickvals, ticktext } = labelsOf(axis, begin, end, zone);
      if (String(drawn.tickvals) === String(tickvals) && String(drawn.ticktext) === String(ticktext)) continue;
      Object.assign(change, { [name + ".tickvals"]: tickvals, [name + ".ticktext"]: ticktext });
    }
    const lacks = (trace) => trace.meta && trace.meta.timed && (trace.text || []).length !== (trace.x || []).length;
    const untold = plot.data.flatMap((trace, place) => (lacks(trace) ? [place] : []));
    if (untold.length) {
      const text = untold.map((place) => textsOf(plot.data[place].x || [], zone));
      await window.Plotly.update(plot, { text }, change, untold);
    } else if (Object.keys(change).length) await window.Plotly.relayout(plot, change);
  }

  const EVENTS = ["plotly_afterplot", "plotly_react", "plotly_relayout"];

  /** @type {ChartTimes["follow"]} */
  function follow(plot) {
    plot.tellTimes = plot.tellTimes || (() => Promise.resolve().then(() => tell(plot)));
    for (const event of EVENTS) {
      plot.removeListener(event, plot.tellTimes); // a chart that comes anew may have forgotten it
      plot.on(event, plot.tellTimes);
    }
    return plot.tellTimes();
  }

  window.trackerTimes = { textsOf, ticksOf, moveOn, follow };

  // Plotly names an element so as it begins to draw a chart in it. What is told then is on screen with the rest of it.
  new MutationObserver((changes) => {
    for (const element of new Set(changes.map((change) => /** @type {Plot} */ (change.target)))) {
      if (element.classList.contains("js-plotly-plot")) follow(element);
    }
  }).observe(document.documentElement, { subtree: true, attributeFilter: ["class"] });
})();
