// Metrics and tables for the tests of the ranking.

/** A metric as the API sends it, with defaults for what a test does not give. */
export const metric = (id, pair, figures = {}) => {
  const [base, quote] = pair.split("/");
  return { id, market: "kraken", base, quote, active: true, rank: id, price: 1, volume_24h: 1, ...figures };
};

/** The same metrics by column, as `/table` answers. */
export const table = (metrics) => {
  const names = [...new Set(metrics.flatMap(Object.keys))];
  return { columns: Object.fromEntries(names.map((name) => [name, metrics.map((one) => one[name] ?? null)])) };
};
