// How prices, shares and moments are written; layouts/notation.py writes the same on the server.
(function () {
  "use strict";
  const UNKNOWN = "–";
  const MINUS = "\u2212";
  /** @type {[number, string][]} */
  const UNITS = [
    [1e12, "T"],
    [1e9, "B"],
    [1e6, "M"],
    [1e3, "K"],
  ];
  const formats = new Map(); // Intl formatters are slow to make and cheap to use

  function fixed(value, decimals) {
    let format = formats.get(decimals);
    if (!format) {
      format = new Intl.NumberFormat("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
      formats.set(decimals, format);
    }
    return format.format(value).replace("-", MINUS);
  }

  function priceText(value) {
    if (value == null) return UNKNOWN;
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size < 1e-12) return value.toExponential(3).replace("-", MINUS);
    return fixed(value, size >= 100 ? 2 : size >= 1 ? 4 : 3 - Math.floor(Math.log10(size)));
  }

  // Shares come in per cent here, so that a column filter means what its column shows.
  function changeText(percent) {
    if (percent == null) return UNKNOWN;
    const text = fixed(Math.abs(percent), 2) + " %";
    return text === "0.00 %" ? text : (percent > 0 ? "+" : MINUS) + text;
  }

  function shareText(percent) {
    if (percent == null) return UNKNOWN;
    return fixed(percent, percent > 0 && percent < 0.1 ? 4 : 2) + " %";
  }

  function amountText(value) {
    if (value == null) return UNKNOWN;
    for (const [size, unit] of UNITS) {
      if (Math.abs(value) >= size) return fixed(value / size, 2) + " " + unit;
    }
    return fixed(value, 2);
  }

  function wholeText(value) {
    return value == null ? UNKNOWN : fixed(value, 0);
  }

  // ---- the viewer's own time zone, or UTC where that was chosen
  let chosenZone = "local";
  try {
    chosenZone = localStorage.getItem("zone") || "local";
  } catch {
    // storage can be forbidden; the choice then lasts until the tab closes
  }

  function chooseZone(choice) {
    chosenZone = choice;
    try {
      localStorage.setItem("zone", choice);
    } catch {
      // see above
    }
  }

  const zoneChoice = () => chosenZone;
  const zoneName = () => (chosenZone === "utc" ? "UTC" : Intl.DateTimeFormat().resolvedOptions().timeZone);

  function shaped(moment, shape) {
    return new Intl.DateTimeFormat("en-GB", Object.assign({ timeZone: zoneName() }, shape)).format(moment);
  }

  // The date only where it is not today's.
  function clockText(iso) {
    if (!iso) return UNKNOWN;
    const moment = new Date(iso);
    const shape = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
    if (moment.getSeconds()) shape.second = "2-digit";
    const time = shaped(moment, shape);
    const whole = { year: "numeric", month: "numeric", day: "numeric" };
    if (shaped(moment, whole) === shaped(new Date(), whole)) return time;
    return shaped(moment, { day: "numeric", month: "short" }) + ", " + time;
  }

  window.trackerNotation = {
    priceText,
    changeText,
    shareText,
    amountText,
    wholeText,
    clockText,
    chooseZone,
    zoneChoice,
    zoneName,
  };
})();
