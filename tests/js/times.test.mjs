import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./page.mjs";

const BERLIN = "Europe/Berlin";
const window = load(["0-ids.js", "chart.js", "times.js"]);
const { axisTicks, pointLabels, follow } = window.trackerTimes;

// Each tick's moment in UTC, and its label.
function ticks(begin, end, zone, most = 6) {
  const { moments, texts } = axisTicks(Date.parse(begin), Date.parse(end), zone, most);
  return moments.map((moment, place) => [new Date(moment).toISOString().slice(5, 16), texts[place]]);
}

test("a night in which the clocks go back has the same hour at two places", () => {
  assert.deepEqual(ticks("2026-10-24T22:30:00Z", "2026-10-25T02:30:00Z", BERLIN), [
    ["10-24T23:00", "01:00<br>25 Oct"],
    ["10-25T00:00", "02:00"],
    ["10-25T01:00", "02:00"],
    ["10-25T02:00", "03:00"],
  ]);
});

test("a night in which the clocks go forward lacks the skipped hour", () => {
  assert.deepEqual(ticks("2026-03-28T23:30:00Z", "2026-03-29T02:30:00Z", BERLIN, 5), [
    ["03-29T00:00", "01:00<br>29 Mar"],
    ["03-29T01:00", "03:00"],
    ["03-29T02:00", "04:00"],
  ]);
});

test("a day has ticks at round hours of the viewer's clock, and its date where it begins", () => {
  assert.deepEqual(ticks("2026-11-28T07:10:00Z", "2026-11-29T07:10:00Z", BERLIN), [
    ["11-28T11:00", "12:00<br>28 Nov"],
    ["11-28T17:00", "18:00"],
    ["11-28T23:00", "00:00<br>29 Nov"],
    ["11-29T05:00", "06:00"],
  ]);
  // An offset with half an hour.
  const india = ticks("2026-11-28T07:10:00Z", "2026-11-28T10:10:00Z", "Asia/Kolkata");
  assert.deepEqual(india[0], ["11-28T07:30", "13:00<br>28 Nov"]);
});

test("days begin at midnight of the viewer's clock, also across a change of the clocks", () => {
  assert.deepEqual(ticks("2026-10-23T12:00:00Z", "2026-10-27T12:00:00Z", BERLIN, 5), [
    ["10-23T22:00", "24 Oct<br>2026"],
    ["10-24T22:00", "25 Oct"],
    ["10-25T23:00", "26 Oct"],
    ["10-26T23:00", "27 Oct"],
  ]);
});

test("weeks begin on Mondays, months on their first day, and years are shown where they begin", () => {
  const weeks = ticks("2026-10-01T00:00:00Z", "2026-11-10T00:00:00Z", "UTC");
  assert.deepEqual(
    weeks.map(([, text]) => text),
    ["5 Oct<br>2026", "12 Oct", "19 Oct", "26 Oct", "2 Nov", "9 Nov"],
  );
  const year = ticks("2025-11-28T00:00:00Z", "2026-11-28T00:00:00Z", BERLIN);
  assert.deepEqual(
    year.map(([, text]) => text),
    ["Jan<br>2026", "Apr", "Jul", "Oct"],
  );
  assert.equal(year[2][0], "06-30T22:00");
});

test("any span has some ticks, in order, and no more than fit", () => {
  const begin = Date.parse("2026-10-20T03:07:00Z");
  for (let span = 20000; span < 12 * 365 * 86400000; span *= 1.3) {
    for (const zone of ["UTC", BERLIN, "America/St_Johns", "Asia/Kathmandu"]) {
      const { moments, texts } = axisTicks(begin, begin + span, zone, 6);
      assert.ok(moments.length >= 1 && moments.length <= 8, `${span} ${zone}: ${moments.length}`);
      assert.deepEqual(
        moments,
        [...moments].sort((one, other) => one - other),
      );
      assert.equal(texts.length, moments.length);
    }
  }
});

test("the label of a point has its day and time", () => {
  const x = ["2026-10-25T00:30:00", null, "2026-10-25T01:30:00"];

  assert.deepEqual(pointLabels(x, BERLIN), ["25 Oct 02:30", "", "25 Oct 02:30"]);
  assert.deepEqual(pointLabels(x, "UTC"), ["25 Oct 00:30", "", "25 Oct 01:30"]);
});

test("a chart is given the labels that it lacks, and nothing once it has them", async () => {
  const done = [];
  const listeners = [];
  const range = ["2026-11-28T06:00:00Z", "2026-11-28T12:00:00Z"];
  const plot = {
    data: [{ x: ["2026-11-28T11:00:00"], meta: { timed: true } }, { x: ["2026-11-28T11:00:00"] }],
    layout: { meta: { zone: BERLIN }, xaxis: { tickvals: [], ticktext: [] } },
    _fullLayout: { xaxis: { type: "date", range, r2l: Date.parse, _length: 180 }, yaxis: { type: "linear" } },
    on: (event) => void listeners.push(event),
    removeListener() {},
  };
  const take = (change) => {
    plot.layout.xaxis.tickvals = change["xaxis.tickvals"];
    plot.layout.xaxis.ticktext = change["xaxis.ticktext"];
  };
  window.Plotly = {
    async update(drawn, { text }, change, places) {
      done.push(["update", places, change["xaxis.ticktext"]]);
      places.forEach((place, number) => (drawn.data[place].text = text[number]));
      take(change);
    },
    async relayout(drawn, change) {
      done.push(["relayout", change["xaxis.ticktext"]]);
      take(change);
    },
  };

  await follow(plot);
  await follow(plot);
  assert.deepEqual(plot.data[0].text, ["28 Nov 12:00"]);
  assert.equal(plot.layout.xaxis.tickvals[1], "2026-11-28T09:00:00"); // plotly takes a number for local time
  plot._fullLayout.xaxis.range = [range[0], "2026-11-28T07:00:00Z"]; // zoomed
  await follow(plot);

  assert.deepEqual(done, [
    ["update", [0], ["08:00<br>28 Nov", "10:00", "12:00"]],
    ["relayout", ["07:00<br>28 Nov", "07:30", "08:00"]],
  ]);
  assert.deepEqual([...new Set(listeners)], ["plotly_afterplot", "plotly_react", "plotly_relayout"]);
});
