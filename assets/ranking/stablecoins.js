// Coins that stand for a currency, and currencies: the one place that says which. "Hide stablecoins" leaves out the
// pairs in which such a coin is priced (USDT/USD, USDC/USDT), or a currency in units of one (EUR/USDT), and keeps
// what is priced in one (BTC/USDT). Dollar coins also count as dollars where turnovers are compared.
(function () {
  "use strict";
  const names = (text) => new Set(text.split(" "));
  const DOLLAR_COINS = names(
    "USDT USDC DAI TUSD FDUSD PYUSD USDP GUSD BUSD USDD USDE USDS USD1 USDG USDQ USDR RLUSD FRAX LUSD SUSD CRVUSD GHO AUSD",
  );
  const OTHER_COINS = names(
    "EURT EURC EURS EURI EURQ EURR EURCV AEUR EURE GBPT TGBP XSGD BIDR TRYB CNHT MXNT JPYC BRZ",
  );
  const CURRENCIES = names(
    "USD EUR GBP JPY CHF CAD AUD NZD SGD HKD KRW TRY BRL MXN ZAR PLN CZK UAH ARS COP NGN IDR INR AED THB",
  );
  const isCoin = (name) => DOLLAR_COINS.has(name) || OTHER_COINS.has(name);

  const isDollar = (name) => name === "USD" || DOLLAR_COINS.has(name);
  const isStable = (base, quote) => isCoin(base) || (CURRENCIES.has(base) && isCoin(quote));

  const ranking = (window.trackerRanking = window.trackerRanking || {});
  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ isDollar, isStable }));
})();
