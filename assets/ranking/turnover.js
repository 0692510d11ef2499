// What was traded in 24 h, in one currency, so that pairs can be compared: volumes are told in units of each base.
(function () {
  "use strict";
  const ranking = (window.trackerRanking = window.trackerRanking || {});

  // Dollars, where anything is priced in them; else what most is priced in.
  function unit(metrics) {
    if (metrics.some((metric) => ranking.isDollar(metric.quote))) return ranking.isDollar;
    const counts = new Map();
    for (const { quote } of metrics) counts.set(quote, (counts.get(quote) || 0) + 1);
    const [most] = [...counts].sort((left, right) => right[1] - left[1])[0] || [];
    return (name) => name === most;
  }

  // How many units one of each quote currency is worth, by the tracked pairs' own prices.
  function rates(metrics) {
    const isUnit = unit(metrics);
    const found = new Map();
    for (const { base, quote, price, active } of metrics) {
      if (!active || !price) continue;
      if (isUnit(quote) && !found.has(base)) found.set(base, price);
      if (isUnit(base) && !found.has(quote)) found.set(quote, 1 / price);
    }
    return (quote) => (isUnit(quote) ? 1 : found.get(quote));
  }

  // A function from metric to turnover; null where its volume or its quote's worth is not known.
  function turnovers(metrics) {
    const worth = rates(metrics);
    return ({ quote, price, volume_24h: volume }) => {
      const rate = worth(quote);
      return rate === undefined || volume == null || price == null ? null : volume * price * rate;
    };
  }

  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ turnovers }));
})();
