// The rows of the table from the metrics of the API: shares in per cent, ranks by the viewer's choice.
(function () {
  "use strict";
  const ranking = (window.trackerRanking = window.trackerRanking || {});

  const percent = (/** @type {number | null} */ fraction) => (fraction == null ? null : fraction * 100);

  /** @param {Metric} metric */
  function markOf(metric) {
    if (metric.active) return metric.new_at ? "new" : null;
    return metric.reason || "inactive";
  }

  /**
   * @param {Metric} metric
   * @param {number | null} rank
   * @param {number | null} turnover
   * @returns {Row}
   */
  function row(metric, rank, turnover) {
    return {
      id: String(metric.id),
      key: metric.market + ":" + metric.base + "-" + metric.quote,
      rank,
      moved: rank == null || metric.rank_1h_ago == null ? null : metric.rank_1h_ago - rank,
      pair: metric.base + "/" + metric.quote,
      base: metric.base,
      quote: metric.quote,
      market: metric.market,
      price: metric.price,
      change_1h: percent(metric.change_1h),
      change_24h: percent(metric.change_24h),
      stdev: metric.stdev,
      volatility: percent(metric.volatility),
      log_volatility: percent(metric.log_volatility),
      range_1h: percent(metric.range_1h),
      range_24h: percent(metric.range_24h),
      high_24h: metric.high_24h,
      low_24h: metric.low_24h,
      volume: metric.volume_24h,
      turnover,
      alerted: metric.alerted_at,
      active: metric.active,
      mark: markOf(metric),
      updated: metric.updated_at,
      coverage: percent(metric.coverage),
      ...ranking.freshness(metric),
    };
  }

  /**
   * The rank of each metric, 1 the largest; the server's own for the default order.
   * @param {Metric[]} metrics
   * @param {RankedBy} by
   * @param {(metric: Metric) => number | null} turnover
   * @returns {(metric: Metric) => number | null}
   */
  function ranksBy(metrics, by, turnover) {
    if (by === ranking.address.DEFAULT_BY) return (metric) => metric.rank;
    const valueOf = by === "volume" ? turnover : (/** @type {Metric} */ metric) => metric[by];
    const valued = metrics.flatMap((metric) => {
      const value = metric.active ? valueOf(metric) : null;
      return value == null ? [] : [{ value, id: metric.id }];
    });
    valued.sort((left, right) => right.value - left.value || left.id - right.id);
    const ranks = new Map(valued.map(({ id }, place) => [id, place + 1]));
    return (metric) => ranks.get(metric.id) ?? null;
  }

  /** @type {Ranking["rowMaker"]} */
  function rowMaker(metrics) {
    const { by } = ranking.view();
    const turnover = ranking.turnovers(metrics);
    const rank = ranksBy(metrics, by, turnover);
    return (place) => {
      const metric = metrics[place];
      const made = row(metric, rank(metric), turnover(metric));
      if (by !== ranking.address.DEFAULT_BY) made.moved = null; // known for the default order alone
      return made;
    };
  }

  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ rowMaker }));
})();
