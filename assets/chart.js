// Charts that grow: the server draws a chart once, then sends only new points (layouts/price_chart.py,
// layouts/comparison_chart.py). The layout of a chart states its view and its revision, so that late answers are
// recognised.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const { noUpdate, register } = window.trackerDash;
  const DRAWING_TIMEOUT = 10000; // ms
  const DRAWING_POLL = 50; // ms
  const THRESHOLD = 2; // its index among the traces of a metric's chart
  /** @type {Charts["plotOf"]} */
  const plotOf = (id) => document.querySelector("#" + id + " .js-plotly-plot");
  /** @type {Charts["metaOf"]} */
  const metaOf = (plot) => (plot && plot.data && plot.layout && plot.layout.meta) || null;

  /**
   * The chart once it is drawn with a view that `isWanted`; null after the timeout. Plotly is loaded with the first
   * chart, and a new figure takes time.
   * @param {string} id
   * @param {(meta: ChartMeta) => boolean} isWanted
   * @returns {Promise<Plot | null>}
   */
  function whenDrawn(id, isWanted) {
    const end = Date.now() + DRAWING_TIMEOUT;
    return new Promise((resolve) => {
      (function look() {
        const plot = plotOf(id);
        const meta = metaOf(plot);
        if (plot && meta && isWanted(meta) && plot._fullLayout) resolve(plot);
        else if (Date.now() > end) resolve(null);
        else setTimeout(look, DRAWING_POLL);
      })();
    });
  }

  /**
   * The request for what is newer than the chart; no update if it shows `revision` already.
   * @type {Charts["requestUpdate"]}
   */
  async function requestUpdate(id, revision, figure) {
    const wanted = figure && figure.layout && figure.layout.meta;
    if (!wanted || revision === null || revision === undefined) return noUpdate();
    const plot = await whenDrawn(id, (drawn) => drawn.view === wanted.view);
    const meta = metaOf(plot);
    if (!meta) return { revision }; // the rest of the page is updated without the chart
    return meta.revision >= revision ? noUpdate() : { ...meta, wanted: revision };
  }

  /**
   * Times compare as texts. The null that ends a ring is before no time, and after none.
   * @type {(time?: string | null, other?: string | null) => boolean}
   */
  const isBefore = (time, other) => Boolean(time && other && time < other);

  /**
   * The number of points at or before `after`. These are nearly all, so the search begins at the end.
   * @param {Times} x
   * @param {string} after
   */
  function pointsUpTo(x, after) {
    let end = x.length;
    while (end && isBefore(after, x[end - 1])) end -= 1;
    return end;
  }

  /**
   * The number of points in rings that begin before `after`. Each ring ends with a null.
   * @param {Times} x
   * @param {string} after
   */
  function ringsBefore(x, after) {
    let end = x.length;
    while (end) {
      const begin = end > 1 ? x.lastIndexOf(null, end - 2) + 1 : 0;
      if (isBefore(x[begin], after)) break;
      end = begin;
    }
    return end;
  }

  /**
   * The number of points before `first`.
   * @param {Times} x
   * @param {string | null | undefined} first
   */
  function pointsBefore(x, first) {
    let count = 0;
    while (count < x.length && isBefore(x[count], first)) count += 1;
    return count;
  }

  /**
   * The new points, with time labels if the trace has them.
   * @param {Trace} trace
   * @param {TracePart} part
   * @param {string} zone
   */
  const newColumns = (trace, part, zone) =>
    trace.meta && trace.meta.timed
      ? { ...part.columns, text: window.trackerTimes.pointLabels(/** @type {Times} */ (part.columns.x || []), zone) }
      : part.columns;

  /**
   * @param {Trace} trace
   * @param {TracePart} part
   * @param {string} zone
   */
  function extend(trace, part, zone) {
    Object.assign(trace, part.look);
    const { after, first, rings } = part;
    const old = trace.x || [];
    const end = !after ? 0 : rings ? ringsBefore(old, after) : pointsUpTo(old, after);
    const begin = rings ? 0 : pointsBefore(old.slice(0, end), first);
    for (const [name, values] of Object.entries(newColumns(trace, part, zone))) {
      trace[name] = (trace[name] || []).slice(begin, end).concat(values);
    }
    if (rings && after && first) trace.x = trace.x?.map((time) => (isBefore(time, first) ? first : time));
  }

  /**
   * An update continues a chart of the same view and an older revision, without a gap between the two.
   * @param {ChartMeta} meta
   * @param {ChartUpdate} update
   */
  const continues = (meta, update) =>
    meta.view === update.meta.view &&
    meta.revision < update.meta.revision &&
    (update.from === null || update.from <= meta.edge);

  /** @type {Charts["applyUpdate"]} */
  function applyUpdate(id, update) {
    const plot = plotOf(id);
    const meta = metaOf(plot);
    if (!update || !plot || !meta || !continues(meta, update)) return;
    const { zone, shown } = update.meta;
    update.traces.forEach((part, index) => {
      plot.data[index] = plot.data[index] || { visible: plot.data[THRESHOLD].visible }; // of a new rule
      extend(plot.data[index], part, zone);
    });
    plot.data.length = update.traces.length;
    Object.assign(plot.layout, update.layout, { meta: update.meta });
    window.trackerTimes.moveAxis(plot, shown, zone);
    window.Plotly.redraw(plot); // keeps zoom, pan and hidden traces
  }

  // ---- another time zone: the server draws the chart anew, with the zoom and the hidden traces of the old one

  /** @param {Plot} plot */
  function zoomOf(plot) {
    /** @type {Record<string, number[]>} */
    const ranges = {};
    for (const [name, axis] of Object.entries(plot._fullLayout)) {
      if (/^[xy]axis\d*$/.test(name) && !axis.autorange) ranges[name + ".range"] = axis.range.slice();
    }
    return ranges;
  }

  /** @param {ChartMeta} meta */
  const viewWithoutZone = (meta) => meta.view.slice(0, meta.view.lastIndexOf(" "));

  /** @param {string} id */
  async function keepZoomOf(id) {
    const plot = plotOf(id);
    const meta = metaOf(plot);
    if (!plot || !meta || !plot._fullLayout) return;
    const zoom = zoomOf(plot);
    const hidden = plot._fullData.flatMap((trace) => (trace.visible === "legendonly" ? [trace.index] : []));
    const next = await whenDrawn(
      id,
      (other) => other.view !== meta.view && viewWithoutZone(other) === viewWithoutZone(meta),
    );
    if (!next) return;
    if (hidden.length) await window.Plotly.restyle(next, { visible: "legendonly" }, hidden);
    if (Object.keys(zoom).length) await window.Plotly.relayout(next, zoom);
  }

  const keepZoom = () => [ids.metricChart, ids.compareChart].forEach(keepZoomOf);

  // ---- the chart of a metric

  /** @param {string} selector */
  const textOf = (selector) => document.querySelector(selector)?.textContent || "";

  /** @param {boolean | "legendonly"} visible */
  function showThreshold(visible) {
    const plot = plotOf(ids.metricChart);
    if (!plot || !metaOf(plot)) return noUpdate();
    const levels = plot.data.flatMap((trace, index) => (trace.meta && trace.meta.level ? [index] : []));
    if (levels.length) window.Plotly.restyle(plot, { visible }, levels);
    return noUpdate();
  }

  /** @param {number | null} clicks */
  function savePicture(clicks) {
    const plot = plotOf(ids.metricChart);
    const title = [".headline .pair-title", ".headline .chip", "#" + ids.metricSpan + " input:checked + label"];
    if (clicks && plot && metaOf(plot)) window.trackerPicture.savePicture(plot, title.map(textOf).join(" · "));
    return noUpdate();
  }

  window.trackerChart = { requestUpdate, applyUpdate, plotOf, metaOf, keepZoom };
  register({
    requestChartUpdate: (/** @type {number | null} */ revision, /** @type {Figure | null} */ figure) =>
      requestUpdate(ids.metricChart, revision, figure),
    applyChartUpdate(/** @type {ChartUpdate | null} */ update) {
      applyUpdate(ids.metricChart, update);
      return noUpdate();
    },
    showThreshold,
    savePicture,
  });
})();
