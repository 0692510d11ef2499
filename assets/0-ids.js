// The ids from layouts/ids.py that these scripts need, in one place; tests/layouts/test_ids.py compares them.
window.trackerIds = {
  location: "location",
  poll: "poll",
  live: "live",
  title: "tab-title",
  grid: "ranking-table",
  search: "ranking-search",
  count: "ranking-count",
  metricChart: "metric-chart",
  metricSpan: "metric-span",
  compareChart: "compare-chart",
  compareSearch: "compare-search",
  compareResults: "compare-results",
  previous: "metric-previous",
  next: "metric-next",
};
