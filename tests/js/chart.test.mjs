import assert from "node:assert/strict";
import { test } from "node:test";

import { callbacks, isNothing, load } from "./page.mjs";

const META = { view: "1 24h line UTC", revision: 5, edge: 1000, shown: [5, 10] };

// A page on which the chart `id` is drawn; calls of plotly are in `done`.
function page(plot, id = "metric-chart") {
  const querySelector = (selector) => (selector === `#${id} .js-plotly-plot` ? plot : null);
  const document = { querySelector, addEventListener() {} };
  const window = load(["0-ids.js", "chart.js", "compare.js", "times.js"], { document, setTimeout: setImmediate });
  const done = [];
  const recorded =
    (name) =>
    async (drawn, ...rest) =>
      void done.push([name, ...rest]);
  window.Plotly = { redraw: recorded("redraw"), restyle: recorded("restyle"), relayout: recorded("relayout") };
  return { window, done, charts: window.trackerChart };
}

const plotOf = (data, meta = META) => ({ data, layout: { meta, xaxis: {} }, _fullLayout: {}, _fullData: [] });
const update = (traces, meta = {}, from = META.edge) => ({
  meta: { ...META, revision: 6, edge: 1060, ...meta },
  from,
  traces,
});

test("a line gains its new points and drops those before the span", () => {
  const plot = plotOf([{ x: ["10:00", "10:01", "10:02"], y: [1, 2, 3] }]);
  const { charts, done } = page(plot);

  charts.applyUpdate("metric-chart", update([{ after: "10:02", first: "10:01", columns: { x: ["10:03"], y: [4] } }]));

  assert.deepEqual(plot.data, [{ x: ["10:01", "10:02", "10:03"], y: [2, 3, 4] }]);
  assert.equal(plot.layout.meta.revision, 6);
  assert.deepEqual(done, [["redraw"]]);
});

test("the axis moves with the span, and the begin of history is updated when it changes", () => {
  const plot = plotOf([{ x: ["10:00"], y: [1] }]);
  Object.assign(plot.layout, { shapes: ["old"], annotations: ["old"] });
  const { charts } = page(plot);

  charts.applyUpdate("metric-chart", update([{ columns: {} }], { shown: [6, 11] }));
  assert.deepEqual(plot.layout.xaxis.autorangeoptions, { minallowed: 6, maxallowed: 11 });
  assert.deepEqual(plot.layout.shapes, ["old"]);

  const layout = { shapes: [], annotations: [] };
  charts.applyUpdate("metric-chart", { ...update([{ columns: {} }], { revision: 7 }), layout });
  assert.deepEqual([plot.layout.shapes, plot.layout.annotations], [[], []]);
});

test("an axis that moves has its labels at once, and a zoomed one keeps its own", () => {
  const [begin, end] = [Date.parse("2026-11-28T06:00:00Z"), Date.parse("2026-11-28T12:00:00Z")];
  for (const [autorange, labels] of [
    [true, ["08:00<br>28 Nov", "10:00", "12:00"]],
    [false, undefined],
  ]) {
    const plot = plotOf([{ x: [], y: [] }]);
    plot._fullLayout = { xaxis: { type: "date", autorange, _length: 180 } };

    page(plot).charts.applyUpdate(
      "metric-chart",
      update([{ columns: {} }], { shown: [begin, end], zone: "Europe/Berlin" }),
    );

    assert.deepEqual(plot.layout.xaxis.ticktext, labels);
  }
});

test("thresholds of rules come and go, shown or hidden like the built-in one", () => {
  const plot = plotOf([{ y: [1] }, { y: [1] }, { y: [3], visible: false, meta: { level: true } }]);
  const { charts, done, window } = page(plot);
  const all = [{ columns: { y: [1] } }, { columns: { y: [1] } }, { columns: { y: [3] } }];
  const rule = { columns: { y: [2] }, look: { name: "Rule", meta: { level: true } } };

  charts.applyUpdate("metric-chart", update([...all, rule], {}, null));
  assert.deepEqual(plot.data[3], { visible: false, name: "Rule", meta: { level: true }, y: [2] });
  callbacks(window).showThreshold(true);
  assert.deepEqual(done.at(-1), ["restyle", { visible: true }, [2, 3]]);

  charts.applyUpdate("metric-chart", update(all, { revision: 7 }, null));
  assert.equal(plot.data.length, 3);
});

test("a last point that moves is replaced", () => {
  const plot = plotOf([{ x: ["10:00", "10:59"], y: [1, 2] }]);

  page(plot).charts.applyUpdate(
    "metric-chart",
    update([{ after: "10:00", first: null, columns: { x: ["11:00"], y: [7] } }]),
  );

  assert.deepEqual(plot.data, [{ x: ["10:00", "11:00"], y: [1, 7] }]);
});

test("new points of a trace with time labels are labelled by the clock of the chart's zone", () => {
  const x = ["2026-10-25T00:59:00", "2026-10-25T01:00:00"];
  const plot = plotOf([{ x, y: [1, 2], text: ["25 Oct 02:59", "25 Oct 02:00"], meta: { timed: true } }]);
  const part = { after: x[1], first: x[1], columns: { x: ["2026-10-25T01:01:00"], y: [3] } };

  page(plot).charts.applyUpdate("metric-chart", update([part], { zone: "Europe/Berlin" }));

  assert.deepEqual(plot.data[0].text, ["25 Oct 02:00", "25 Oct 02:01"]);
});

test("a band keeps its rings but for those that are sent anew, and begins where the span does", () => {
  const plot = plotOf([{ x: ["08:00", "09:00", null, "10:00", "11:00", null], y: [1, 2, null, 3, 4, null] }]);
  const part = {
    rings: true,
    after: "10:00",
    first: "08:30",
    columns: { x: ["10:00", "12:00", null], y: [3, 5, null] },
  };

  page(plot).charts.applyUpdate("metric-chart", update([part]));

  assert.deepEqual(plot.data[0].x, ["08:30", "09:00", null, "10:00", "12:00", null]);
  assert.deepEqual(plot.data[0].y, [1, 2, null, 3, 5, null]);
});

test("a trace that is sent whole replaces the old one with its style", () => {
  const plot = plotOf([{ x: ["10:00"], y: [1], mode: "lines" }]);

  page(plot).charts.applyUpdate(
    "metric-chart",
    update([{ look: { mode: "markers" }, columns: { x: ["9:00"], y: [0] } }], {}, null),
  );

  assert.deepEqual(plot.data, [{ x: ["9:00"], y: [0], mode: "markers" }]);
});

test("an update for another view, an old one, or one after a gap is not drawn", () => {
  const traces = [{ after: "10:00", columns: { x: ["10:01"] } }];
  for (const late of [
    update(traces, { view: "2 24h line UTC" }),
    update(traces, { revision: 5 }),
    update(traces, {}, 1060),
    null,
  ]) {
    const plot = plotOf([{ x: ["10:00"] }]);
    const { charts, done } = page(plot);

    charts.applyUpdate("metric-chart", late);

    assert.deepEqual([plot.data, plot.layout.meta, done], [[{ x: ["10:00"] }], META, []]);
  }
});

test("only a newer revision than the drawn one is requested", async () => {
  const { requestChartUpdate, requestComparisonUpdate } = callbacks(page(plotOf([])).window);
  const figure = { layout: { meta: META } };

  assert.deepEqual(await requestChartUpdate(6, figure), { ...META, wanted: 6 });
  for (const value of [
    await requestChartUpdate(5, figure),
    await requestChartUpdate(null, figure),
    await requestChartUpdate(6, null),
    await requestComparisonUpdate(6, {}),
  ]) {
    assert.ok(isNothing(value));
  }
});

// ---- another time zone
const axis = (range, rest = {}) => ({ type: "date", autorange: false, range, ...rest });

async function moved(range, from, to) {
  const plot = plotOf([], { ...META, view: `1 24h line ${from}` });
  plot._fullLayout = {
    xaxis: axis(range),
    yaxis: axis([1, 2], { type: "linear" }),
    yaxis2: axis([3, 4], { autorange: true }),
  };
  plot._fullData = [
    { index: 0, visible: true },
    { index: 1, visible: "legendonly" },
  ];
  const { charts, done } = page(plot);
  charts.keepZoom();
  plot.layout = { meta: { ...META, view: `1 24h line ${to}` } }; // the server draws the chart anew
  while (done.length < 2) await new Promise(setImmediate);
  return done;
}

test("zoom and hidden traces survive a change of the zone", async () => {
  const range = ["2026-03-01T10:00:00", "2026-03-01T12:30:00"];

  assert.deepEqual(await moved(range, "Europe/Berlin", "UTC"), [
    ["restyle", { visible: "legendonly" }, [1]],
    ["relayout", { "xaxis.range": range, "yaxis.range": [1, 2] }],
  ]);
});
