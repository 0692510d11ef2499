// Charts that grow: the server draws one once, then sends only what is new (layouts/price_chart.py, layouts/compare.py).
// A chart tells in its own layout what it shows and how far, so that an answer which comes too late finds it out.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const PATIENCE = 10000; // ms until a chart that has not appeared is given up
  const THRESHOLD = 2; // its place among the traces of a metric's chart
  const nothing = () => window.dash_clientside.no_update;
  /** @type {Charts["plotOf"]} */
  const plotOf = (id) => document.querySelector("#" + id + " .js-plotly-plot");
  const metaOf = (/** @type {Plot | null} */ plot) => (plot && plot.data && plot.layout && plot.layout.meta) || null;

  // The chart as soon as it shows a view that is `wanted`: plotly is loaded with the first one, and a new figure takes
  // its time.
  /**
   * @param {string} id
   * @param {(meta: ChartMeta) => boolean} wanted
   * @returns {Promise<Plot | null>}
   */
  function whenDrawn(id, wanted) {
    const end = Date.now() + PATIENCE;
    return new Promise((resolve) => {
      (function look() {
        const plot = plotOf(id);
        const meta = metaOf(plot);
        if (plot && meta && wanted(meta) && plot._fullLayout) resolve(plot);
        else if (Date.now() > end) resolve(null);
        else setTimeout(look, 50);
      })();
    });
  }

  // What to tell the server when there is something newer than what is drawn.
  /** @type {Charts["askFor"]} */
  async function askFor(id, revision, figure) {
    const wanted = figure && figure.layout && figure.layout.meta;
    if (!wanted || revision === null || revision === undefined) return nothing();
    const plot = await whenDrawn(id, (drawn) => drawn.view === wanted.view);
    const meta = metaOf(plot);
    if (!meta) return { revision }; // the rest of the page is kept current all the same
    return meta.revision >= revision ? nothing() : Object.assign({}, meta, { wanted: revision });
  }

  // Whether a time is before another; what ends a ring is no time.
  /** @type {(time?: string | null, other?: string | null) => boolean} */
  const isBefore = (time, other) => Boolean(time && other && time < other);

  // How many points lie at or before `after`: nearly all, so they are looked for from the end.
  function pointsUpTo(/** @type {Times} */ x, /** @type {string} */ after) {
    let end = x.length;
    while (end && isBefore(after, x[end - 1])) end -= 1;
    return end;
  }

  // How many points belong to rings that begin before `after`; each ring ends with a null.
  function ringsBefore(/** @type {Times} */ x, /** @type {string} */ after) {
    let end = x.length;
    while (end) {
      const begin = end > 1 ? x.lastIndexOf(null, end - 2) + 1 : 0;
      if (isBefore(x[begin], after)) break;
      end = begin;
    }
    return end;
  }

  // The new points, with their times by the viewer's clock where a trace tells those.
  const columnsOf = (/** @type {Trace} */ trace, /** @type {TracePart} */ part, /** @type {string} */ zone) =>
    trace.meta && trace.meta.timed
      ? { ...part.columns, text: window.trackerTimes.textsOf(/** @type {Times} */ (part.columns.x || []), zone) }
      : part.columns;

  function extend(/** @type {Trace} */ trace, /** @type {TracePart} */ part, /** @type {string} */ zone) {
    Object.assign(trace, part.look);
    const { after, first, rings } = part;
    const old = trace.x || [];
    const end = !after ? 0 : rings ? ringsBefore(old, after) : pointsUpTo(old, after);
    let begin = 0;
    while (!rings && begin < end && isBefore(old[begin], first)) begin += 1;
    for (const [name, values] of Object.entries(columnsOf(trace, part, zone))) {
      trace[name] = (trace[name] || []).slice(begin, end).concat(values);
    }
    if (rings && after && first) trace.x = trace.x?.map((time) => (isBefore(time, first) ? first : time));
  }

  /** @type {Charts["growPlot"]} */
  function growPlot(id, update) {
    const plot = plotOf(id);
    const meta = metaOf(plot);
    if (!update || !plot || !meta || meta.view !== update.meta.view || meta.revision >= update.meta.revision) return;
    if (update.from !== null && update.from > meta.edge) return; // something between is missing: it is asked for again
    update.traces.forEach((part, place) => {
      plot.data[place] = plot.data[place] || { visible: plot.data[THRESHOLD].visible }; // of a rule that is new
      extend(plot.data[place], part, update.meta.zone);
    });
    plot.data.length = update.traces.length;
    Object.assign(plot.layout, update.layout, { meta: update.meta });
    window.trackerTimes.moveOn(plot, update.meta.shown, update.meta.zone);
    window.Plotly.redraw(plot); // keeps zoom, pan and what was hidden
  }

  // ---- another time zone: the chart comes anew, and what the viewer zoomed and hid in it is taken over
  function placeOf(/** @type {Plot} */ plot) {
    const held = {};
    for (const [name, axis] of Object.entries(plot._fullLayout)) {
      if (/^[xy]axis\d*$/.test(name) && !axis.autorange) held[name + ".range"] = axis.range.slice();
    }
    return held;
  }

  const shownOf = (meta) => meta.view.slice(0, meta.view.lastIndexOf(" ")); // a view's name ends with its zone
  const isHidden = (trace) => trace.visible === "legendonly";

  async function keepPlace(id) {
    const plot = plotOf(id);
    const meta = metaOf(plot);
    if (!plot || !meta || !plot._fullLayout) return;
    const held = placeOf(plot);
    const hidden = plot._fullData.flatMap((trace) => (isHidden(trace) ? [trace.index] : []));
    const isNew = (other) => other.view !== meta.view && shownOf(other) === shownOf(meta);
    const next = await whenDrawn(id, isNew);
    if (!next) return;
    if (hidden.length) await window.Plotly.restyle(next, { visible: "legendonly" }, hidden);
    if (Object.keys(held).length) await window.Plotly.relayout(next, held);
  }

  // ---- pictures, in the colours of the page: what is on screen takes them from its style sheet
  const NAMED = {
    "#3451c6": "accent",
    "#5b6478": "muted",
    "#be123c": "alert",
    "#0b7261": "up",
    "#b3440a": "down",
    "#e4e8f0": "line",
    "#fff": "surface",
  };
  const BAND = "rgba(52,81,198,0.16)";
  const BAND_ALPHA = "29";
  const HEAD = 44; // px
  const SCALE = 2;

  const colour = (name) =>
    getComputedStyle(document.documentElement)
      .getPropertyValue("--dt-" + name)
      .trim();

  function painted(value) {
    if (typeof value === "string") {
      if (value === BAND) return colour("accent") + BAND_ALPHA;
      return NAMED[value] ? colour(NAMED[value]) : value;
    }
    if (Array.isArray(value))
      return typeof value[0] === "object" && !Array.isArray(value[0]) ? value.map(painted) : value;
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, painted(part)]));
  }

  function loaded(address) {
    return new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => resolve(image);
      image.onerror = reject;
      image.src = address;
    });
  }

  function save(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  // The title is written on the picture by hand: it holds names, and plotly reads markup in texts.
  async function picture(id, title) {
    const plot = plotOf(id);
    if (!plot || !metaOf(plot)) return;
    const surface = colour("surface");
    const [width, height] = [plot.clientWidth, plot.clientHeight];
    const layout = Object.assign(painted(plot.layout), { paper_bgcolor: surface, width, height });
    const address = await window.Plotly.toImage(
      { data: painted(plot.data), layout },
      { format: "png", width, height, scale: SCALE },
    );
    const image = await loaded(address);
    const canvas = document.createElement("canvas");
    canvas.width = image.width;
    canvas.height = image.height + HEAD * SCALE;
    const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    pen.fillStyle = surface;
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(image, 0, HEAD * SCALE);
    pen.fillStyle = colour("text");
    pen.font = "600 " + 16 * SCALE + "px " + getComputedStyle(document.body).fontFamily;
    pen.fillText(title, 16 * SCALE, 29 * SCALE, canvas.width - 32 * SCALE);
    canvas.toBlob((blob) => save(blob, title.replace(/[^\p{L}\p{M}\p{N}_.-]+/gu, "-") + ".png"), "image/png");
  }

  const chosen = (id) => {
    const label = document.querySelector("#" + id + " input:checked + label");
    return label ? label.textContent : "";
  };
  const words = (selector) => document.querySelector(selector).textContent;

  const keepPlaces = () => [ids.metricChart, ids.compareChart].forEach((id) => keepPlace(id));

  window.trackerChart = { askFor, growPlot, plotOf, keepPlaces };
  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.tracker = Object.assign(window.dash_clientside.tracker || {}, {
    ask: (revision, figure) => askFor(ids.metricChart, revision, figure),
    grow(update) {
      growPlot(ids.metricChart, update);
      return nothing();
    },
    showThreshold(shown) {
      const plot = plotOf(ids.metricChart);
      if (!plot || !metaOf(plot)) return nothing();
      const levels = plot.data.flatMap((trace, place) => (trace.meta && trace.meta.level ? [place] : []));
      if (levels.length) window.Plotly.restyle(plot, { visible: shown }, levels);
      return nothing();
    },
    picture(clicks) {
      const title = [words(".headline .pair-title"), words(".headline .chip"), chosen(ids.metricSpan)].join(" · ");
      if (clicks) picture(ids.metricChart, title);
      return nothing();
    },
  });
})();
