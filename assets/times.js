// Labels of the time axes and points of charts, by the clock of the zone that a chart names in its layout: plotly places
// points in UTC and knows no time zones.
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
  const TICK_WIDTH = 60; // pixels for each label
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
  const dayOffsets = new Map(); // by zone and day; null on days with a change of the clocks

  /** @type {(moment: number, zone: string) => number} */
  function computeOffset(moment, zone) {
    const format = new Intl.DateTimeFormat("en-US", { ...wholeClock, timeZone: zone, hourCycle: "h23" });
    const parts = Object.fromEntries(format.formatToParts(moment).map((part) => [part.type, Number(part.value)]));
    const clock = Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second);
    return clock - Math.floor(moment / 1000) * 1000;
  }

  /**
   * The offset of `zone` from UTC at a moment, in milliseconds.
   * @type {(moment: number, zone: string) => number}
   */
  function offset(moment, zone) {
    const day = Math.floor(moment / DAY);
    const key = zone + " " + day;
    let known = dayOffsets.get(key);
    if (known === undefined) {
      const [first, last] = [computeOffset(day * DAY, zone), computeOffset((day + 1) * DAY - 1, zone)];
      known = first === last ? first : null;
      dayOffsets.set(key, known);
    }
    return known === null ? computeOffset(moment, zone) : known;
  }

  /**
   * The time in `zone` at a moment, as the UTC parts of a date.
   * @type {(moment: number, zone: string) => Date}
   */
  const toLocal = (moment, zone) => new Date(moment + offset(moment, zone));

  /**
   * The moment at which the time in `zone` is `local`.
   * @type {(local: number, zone: string) => number}
   */
  function fromLocal(local, zone) {
    const near = local - offset(local, zone);
    return local - offset(near, zone);
  }

  const clockOf = (/** @type {Date} */ local) => local.toISOString().slice(11, 16);
  const preciseClockOf = (/** @type {Date} */ local) => local.toISOString().slice(11, 19);
  const dayOf = (/** @type {Date} */ local) => local.getUTCDate() + " " + NAMES[local.getUTCMonth()];
  const yearOf = (/** @type {Date} */ local) => String(local.getUTCFullYear());
  const monthOf = (/** @type {Date} */ local) => NAMES[local.getUTCMonth()];

  /**
   * Moments at which the time of day in `zone` is a multiple of `step`.
   * @type {(begin: number, end: number, step: number, zone: string) => number[]}
   */
  function momentsWithinDays(begin, end, step, zone) {
    const pace = [15 * MINUTE, 5 * MINUTE, MINUTE].find((each) => step % each === 0) || step; // offsets have quarters
    const moments = [];
    for (let moment = Math.ceil(begin / pace) * pace; moment <= end; moment += pace) {
      if ((moment + offset(moment, zone)) % step === 0) moments.push(moment);
    }
    return moments;
  }

  /**
   * Moments at which the local times `toStart(number)` come, for every multiple of `step` from `first` on.
   * @param {{ begin: number, end: number, zone: string }} axis
   * @param {number} first
   * @param {number} step
   * @param {(number: number) => number} toStart
   */
  function momentsOfNumbers({ begin, end, zone }, first, step, toStart) {
    const moments = [];
    for (let number = Math.floor(first / step) * step; ; number += step) {
      const moment = fromLocal(toStart(number), zone);
      if (moment > end) return moments;
      if (moment >= begin) moments.push(moment);
    }
  }

  const THURSDAY = 3; // the weekday of the epoch's first day, where weeks begin on Mondays
  const startOfDay = (/** @type {number} */ number) => (number - THURSDAY) * DAY;
  const startOfMonth = (/** @type {number} */ number) => Date.UTC(Math.floor(number / 12), number % 12);

  /**
   * The moments of the ticks, and what the upper and the lower line of their labels show.
   * @param {{ begin: number, end: number, zone: string }} axis
   * @param {number} maxTicks
   * @returns {{ moments: number[], upper: (local: Date) => string, lower: (local: Date) => string }}
   */
  function chooseTicks(axis, maxTicks) {
    const { begin, end, zone } = axis;
    const span = end - begin;
    const fits = (/** @type {number} */ length) => span / length <= maxTicks;
    const start = toLocal(begin, zone);
    const step = STEPS.find(fits);
    if (step) {
      const moments = momentsWithinDays(begin, end, step, zone);
      return { moments, upper: step < MINUTE ? preciseClockOf : clockOf, lower: dayOf };
    }
    const days = DAYS.find((count) => fits(count * DAY));
    if (days) {
      const first = Math.floor(start.getTime() / DAY) + THURSDAY;
      return { moments: momentsOfNumbers(axis, first, days, startOfDay), upper: dayOf, lower: yearOf };
    }
    const months = MONTHS.find((count) => fits(count * 30 * DAY)) || 12 * Math.ceil(span / (365 * DAY) / maxTicks);
    const first = start.getUTCFullYear() * 12 + start.getUTCMonth();
    return { moments: momentsOfNumbers(axis, first, months, startOfMonth), upper: monthOf, lower: yearOf };
  }

  /** @type {ChartTimes["axisTicks"]} */
  function axisTicks(begin, end, zone, maxTicks) {
    const { moments, upper, lower } = chooseTicks({ begin, end, zone }, maxTicks);
    let before = "";
    const texts = moments.map((moment) => {
      const local = toLocal(moment, zone);
      const below = lower(local) === before ? "" : "<br>" + lower(local);
      before = lower(local);
      return upper(local) + below;
    });
    return { moments, texts };
  }

  /** @type {ChartTimes["pointLabels"]} */
  const pointLabels = (x, zone) =>
    x.map((time) => {
      if (!time) return "";
      const local = toLocal(Date.parse(time + "Z"), zone);
      return dayOf(local) + " " + clockOf(local);
    });

  /**
   * The ticks of an axis that shows the time between two moments, as plotly takes them.
   * @param {Axis} axis
   * @param {number} begin
   * @param {number} end
   * @param {string} zone
   */
  function ticksOf(axis, begin, end, zone) {
    const maxTicks = Math.min(MAX_TICKS, Math.max(1, axis._length / TICK_WIDTH));
    const { moments, texts } = axisTicks(begin, end, zone, maxTicks);
    const tickvals = moments.map((moment) => new Date(moment).toISOString().slice(0, 19)); // a number would be local
    return { tickvals, ticktext: texts };
  }

  /** @type {ChartTimes["moveAxis"]} */
  function moveAxis(plot, [begin, end], zone) {
    plot.layout.xaxis.autorangeoptions = { minallowed: begin, maxallowed: end };
    const axis = plot._fullLayout.xaxis;
    if (axis && axis.autorange) Object.assign(plot.layout.xaxis, ticksOf(axis, begin, end, zone));
  }

  /**
   * The changes of the layout by which all time axes have the right ticks.
   * @param {Plot} plot
   * @param {string} zone
   */
  function tickChanges(plot, zone) {
    /** @type {Record<string, string[]>} */
    const change = {};
    for (const [name, axis] of Object.entries(plot._fullLayout)) {
      if (!/^xaxis\d*$/.test(name) || axis.type !== "date") continue;
      const drawn = plot.layout[name] || {};
      const [begin, end] = axis.range.map((edge) => axis.r2l(edge));
      const { tickvals, ticktext } = ticksOf(axis, begin, end, zone);
      if (String(drawn.tickvals) === String(tickvals) && String(drawn.ticktext) === String(ticktext)) continue;
      Object.assign(change, { [name + ".tickvals"]: tickvals, [name + ".ticktext"]: ticktext });
    }
    return change;
  }

  /** @param {Trace} trace */
  const lacksLabels = (trace) => trace.meta && trace.meta.timed && (trace.text || []).length !== (trace.x || []).length;

  /**
   * Adds the labels that a chart lacks to its axes and points.
   * @param {Plot} plot
   */
  async function addLabels(plot) {
    const zone = plot.layout && plot.layout.meta && plot.layout.meta.zone;
    if (!zone || !plot._fullLayout) return;
    const change = tickChanges(plot, zone);
    const unlabelled = plot.data.flatMap((trace, index) => (lacksLabels(trace) ? [index] : []));
    if (unlabelled.length) {
      const text = unlabelled.map((index) => pointLabels(plot.data[index].x || [], zone));
      await window.Plotly.update(plot, { text }, change, unlabelled);
    } else if (Object.keys(change).length) await window.Plotly.relayout(plot, change);
  }

  const EVENTS = ["plotly_afterplot", "plotly_react", "plotly_relayout"];

  /** @type {ChartTimes["follow"]} */
  function follow(plot) {
    const labelTimes = plot.labelTimes || (() => Promise.resolve().then(() => addLabels(plot)));
    plot.labelTimes = labelTimes;
    for (const event of EVENTS) {
      plot.removeListener(event, labelTimes); // a chart that is drawn anew may have lost it
      plot.on(event, labelTimes);
    }
    return labelTimes();
  }

  window.trackerTimes = { pointLabels, axisTicks, moveAxis, follow };

  // Plotly sets this class on an element as it begins to draw a chart in it: labels added then appear with the chart.
  new MutationObserver((changes) => {
    for (const element of new Set(changes.map((change) => /** @type {Plot} */ (change.target)))) {
      if (element.classList.contains("js-plotly-plot")) follow(element);
    }
  }).observe(document.documentElement, { subtree: true, attributeFilter: ["class"] });
})();
