// Stablecoins and currencies. "Hide stablecoins" hides pairs whose base is a stablecoin (USDT/USD, USDC/USDT), and
// currencies priced in one (EUR/USDT); other pairs priced in one (BTC/USDT) stay. Dollar coins count as dollars where
// turnovers are compared.
(function () {
  "use strict";
  const names = (/** @type {string} */ text) => new Set(text.split(" "));
  const DOLLAR_COINS = names(
    "USDT USDC DAI TUSD FDUSD PYUSD USDP GUSD BUSD USDD USDE USDS USD1 USDG USDQ USDR RLUSD FRAX LUSD SUSD CRVUSD GHO AUSD",
  );
  const OTHER_COINS = names(
    "EURT EURC EURS EURI EURQ EURR EURCV AEUR EURE GBPT TGBP XSGD BIDR TRYB CNHT MXNT JPYC BRZ",
  );
  const CURRENCIES = names(
    "USD EUR GBP JPY CHF CAD AUD NZD SGD HKD KRW TRY BRL MXN ZAR PLN CZK UAH ARS COP NGN IDR INR AED THB",
  );
  const isCoin = (/** @type {string} */ name) => DOLLAR_COINS.has(name) || OTHER_COINS.has(name);

  /** @type {Ranking["isDollar"]} */
  const isDollar = (name) => name === "USD" || DOLLAR_COINS.has(name);
  /** @type {Ranking["isStable"]} */
  const isStable = (base, quote) => isCoin(base) || (CURRENCIES.has(base) && isCoin(quote));

  const ranking = (window.trackerRanking = window.trackerRanking || {});
  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ isDollar, isStable }));
})();
