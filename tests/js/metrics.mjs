// Metrics and rows as the tests of the ranking need them.

/** A metric as the JSON interface tells it; what a test does not say is plain. */
export const metric = (id, pair, figures = {}) => {
  const [base, quote] = pair.split("/");
  return { id, market: "kraken", base, quote, active: true, rank: id, price: 1, volume_24h: 1, ...figures };
};

/** The same metrics by column, as `/table` answers. */
export const table = (metrics) => {
  const names = [...new Set(metrics.flatMap(Object.keys))];
  return { columns: Object.fromEntries(names.map((name) => [name, metrics.map((one) => one[name] ?? null)])) };
};
