// The turnover of 24 h in one currency, so that pairs can be compared. Volumes come in units of each base.
(function () {
  "use strict";
  const ranking = (window.trackerRanking = window.trackerRanking || {});

  /**
   * Tells the common currency: dollars if any metric is priced in them, else the most common quote.
   * @param {Metric[]} metrics
   * @returns {(name: string) => boolean}
   */
  function commonCurrency(metrics) {
    if (metrics.some((metric) => ranking.isDollar(metric.quote))) return ranking.isDollar;
    /** @type {Map<string, number>} */
    const counts = new Map();
    for (const { quote } of metrics) counts.set(quote, (counts.get(quote) || 0) + 1);
    const [most] = [...counts].sort((left, right) => right[1] - left[1])[0] || [];
    return (name) => name === most;
  }

  /**
   * The value of one unit of each quote in the common currency, by the prices of the tracked pairs.
   * @param {Metric[]} metrics
   * @returns {(quote: string) => number | undefined}
   */
  function exchangeRates(metrics) {
    const isCommon = commonCurrency(metrics);
    /** @type {Map<string, number>} */
    const rates = new Map();
    for (const { base, quote, price, active } of metrics) {
      if (!active || !price) continue;
      if (isCommon(quote) && !rates.has(base)) rates.set(base, price);
      if (isCommon(base) && !rates.has(quote)) rates.set(quote, 1 / price);
    }
    return (quote) => (isCommon(quote) ? 1 : rates.get(quote));
  }

  /** @type {Ranking["turnovers"]} */
  function turnovers(metrics) {
    const rateOf = exchangeRates(metrics);
    return ({ quote, price, volume_24h: volume }) => {
      const rate = rateOf(quote);
      return rate === undefined || volume == null || price == null ? null : volume * price * rate;
    };
  }

  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ turnovers }));
})();
