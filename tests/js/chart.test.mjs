import assert from "node:assert/strict";
import { test } from "node:test";

import { callbacks, isNothing, load } from "./page.mjs";

const META = { view: "1 24h line UTC", revision: 5, edge: 1000 };

// A page on which the chart `id` is drawn; what plotly was told is in `done`.
function page(plot, id = "metric-chart") {
  const querySelector = (selector) => (selector === `#${id} .js-plotly-plot` ? plot : null);
  const document = { querySelector, addEventListener() {} };
  const window = load(["0-ids.js", "chart.js", "compare.js"], { document, setTimeout: setImmediate });
  const done = [];
  const told =
    (name) =>
    async (drawn, ...rest) =>
      void done.push([name, ...rest]);
  window.Plotly = { redraw: told("redraw"), restyle: told("restyle"), relayout: told("relayout") };
  return { window, done, charts: window.trackerChart };
}

const plotOf = (data, meta = META) => ({ data, layout: { meta }, _fullLayout: {}, _fullData: [] });
const update = (traces, meta = {}, from = META.edge) => ({
  meta: { ...META, revision: 6, edge: 1060, ...meta },
  from,
  traces,
});

test("a line grows by its new points, and lets go of what has left the span", () => {
  const plot = plotOf([{ x: ["10:00", "10:01", "10:02"], y: [1, 2, 3] }]);
  const { charts, done } = page(plot);

  charts.growPlot("metric-chart", update([{ after: "10:02", first: "10:01", columns: { x: ["10:03"], y: [4] } }]));

  assert.deepEqual(plot.data, [{ x: ["10:01", "10:02", "10:03"], y: [2, 3, 4] }]);
  assert.equal(plot.layout.meta.revision, 6);
  assert.deepEqual(done, [["redraw"]]);
});

test("a last point that moves is replaced", () => {
  const plot = plotOf([{ x: ["10:00", "10:59"], y: [1, 2] }]);

  page(plot).charts.growPlot(
    "metric-chart",
    update([{ after: "10:00", first: null, columns: { x: ["11:00"], y: [7] } }]),
  );

  assert.deepEqual(plot.data, [{ x: ["10:00", "11:00"], y: [1, 7] }]);
});

test("the hour that comes twice when the clocks go back is cut from its end", () => {
  const plot = plotOf([{ x: ["02:50", "02:10", "02:20"], y: [1, 2, 3] }]);

  page(plot).charts.growPlot(
    "metric-chart",
    update([{ after: "02:20", first: "02:00", columns: { x: ["02:30"], y: [4] } }]),
  );

  assert.deepEqual(plot.data[0].x, ["02:50", "02:10", "02:20", "02:30"]);
});

test("a band's rings are kept whole, but for those that are told anew, and begin where the span does", () => {
  const plot = plotOf([{ x: ["08:00", "09:00", null, "10:00", "11:00", null], y: [1, 2, null, 3, 4, null] }]);
  const part = {
    rings: true,
    after: "10:00",
    first: "08:30",
    columns: { x: ["10:00", "12:00", null], y: [3, 5, null] },
  };

  page(plot).charts.growPlot("metric-chart", update([part]));

  assert.deepEqual(plot.data[0].x, ["08:30", "09:00", null, "10:00", "12:00", null]);
  assert.deepEqual(plot.data[0].y, [1, 2, null, 3, 5, null]);
});

test("a trace that is told whole takes the place of what was there, looks included", () => {
  const plot = plotOf([{ x: ["10:00"], y: [1], mode: "lines" }]);

  page(plot).charts.growPlot(
    "metric-chart",
    update([{ look: { mode: "markers" }, columns: { x: ["9:00"], y: [0] } }], {}, null),
  );

  assert.deepEqual(plot.data, [{ x: ["9:00"], y: [0], mode: "markers" }]);
});

test("an answer for another view, an older one or one with a hole before it is not drawn", () => {
  const traces = [{ after: "10:00", columns: { x: ["10:01"] } }];
  for (const late of [
    update(traces, { view: "2 24h line UTC" }),
    update(traces, { revision: 5 }),
    update(traces, {}, 1060),
    null,
  ]) {
    const plot = plotOf([{ x: ["10:00"] }]);
    const { charts, done } = page(plot);

    charts.growPlot("metric-chart", late);

    assert.deepEqual([plot.data, plot.layout.meta, done], [[{ x: ["10:00"] }], META, []]);
  }
});

test("only what is newer than what is drawn is asked for", async () => {
  const { ask, askCompared } = callbacks(page(plotOf([])).window);
  const figure = { layout: { meta: META } };

  assert.deepEqual(await ask(6, figure), { ...META, wanted: 6 });
  for (const value of [await ask(5, figure), await ask(null, figure), await ask(6, null), await askCompared(6, {})]) {
    assert.ok(isNothing(value));
  }
});

// ---- another time zone
const axis = (range, rest = {}) => ({
  type: "date",
  autorange: false,
  range,
  l2r: (ms) => new Date(ms).toISOString(),
  r2l: Date.parse,
  ...rest,
});

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
  charts.keepPlaces(from, to);
  plot.layout = { meta: { ...META, view: `1 24h line ${to}` } }; // the chart comes anew
  while (done.length < 2) await new Promise(setImmediate);
  return done;
}

test("a zoomed stretch and what was hidden are taken over into another zone", async () => {
  const done = await moved(["2026-03-01T10:00:00Z", "2026-03-01T12:30:00Z"], "Europe/Berlin", "UTC");

  assert.deepEqual(done, [
    ["restyle", { visible: "legendonly" }, [1]],
    ["relayout", { "xaxis.range": ["2026-03-01T09:00:00.000Z", "2026-03-01T11:30:00.000Z"], "yaxis.range": [1, 2] }],
  ]);
});

test("summer time is counted by the moment, not by the day", async () => {
  const spring = await moved(["2026-03-29T01:00:00Z", "2026-03-29T04:00:00Z"], "Europe/Berlin", "UTC");
  const east = await moved(["2026-01-01T20:00:00Z", "2026-07-01T20:00:00Z"], "UTC", "America/New_York");

  assert.deepEqual(spring[1][1]["xaxis.range"], ["2026-03-29T00:00:00.000Z", "2026-03-29T02:00:00.000Z"]);
  assert.deepEqual(east[1][1]["xaxis.range"], ["2026-01-01T15:00:00.000Z", "2026-07-01T16:00:00.000Z"]);
});
