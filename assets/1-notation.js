// How prices, shares and moments are written; layouts/notation.py writes the same on the server.
(function () {
  "use strict";
  const UNKNOWN = "–";
  const MINUS = "\u2212";
  const TIMES = "\u00d7";
  /** @type {[number, string][]} */
  const UNITS = [
    [1e3, "K"],
    [1e6, "M"],
    [1e9, "B"],
    [1e12, "T"],
  ];
  /** @type {[number, string][]} */
  const DURATIONS = [
    [86400, "d"],
    [3600, "h"],
    [60, "min"],
  ];
  const formats = new Map(); // Intl formatters are slow to make and cheap to use

  function format(decimals, value, notation) {
    const key = notation + decimals;
    let format = formats.get(key);
    if (!format) {
      const places = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
      format = new Intl.NumberFormat("en-US", { notation, ...places });
      formats.set(key, format);
    }
    return format.format(value).replace("-", MINUS);
  }

  const fixed = (value, decimals) => format(decimals, value, "standard");

  // The first so many digits without a point, and the power of ten of the first of them.
  function significant(size, count) {
    const [digits, power] = format(count - 1, size, "scientific").split("E");
    return [digits.replace(".", ""), Number(power.replace(MINUS, "-"))];
  }

  const subscript = (number) => [...(number + "")].map((digit) => String.fromCharCode(0x2080 + Number(digit))).join("");

  // Four significant digits at least, in eleven characters at most.
  function priceText(value) {
    if (value == null) return UNKNOWN;
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size >= 100 && size < 99_999) return fixed(value, 2); // most are
    const sign = value < 0 ? MINUS : "";
    const [digits, power] = significant(size, 4);
    if (power >= 15) return sign + digits[0] + "." + digits.slice(1) + "e" + power;
    if (power >= 9) {
      const whole = (power % 3) + 1;
      return sign + digits.slice(0, whole) + "." + digits.slice(whole) + (power < 12 ? " B" : " T");
    }
    if (power >= 6) return fixed(value, 0);
    return power < 0 ? fraction(value, 4) : fixed(value, size >= 99.99995 ? 2 : 4);
  }

  // A number below one with so many significant digits; five zeros and more after the point are counted.
  function fraction(value, count) {
    const [digits, power] = significant(Math.abs(value), count);
    if (power >= -5) return fixed(value, count - 1 - power);
    return (value < 0 ? MINUS : "") + "0.0" + subscript(-power - 1) + digits;
  }

  // With so many decimals below a thousand, whole up to 99,999, and in units beyond.
  function shortened(value, decimals) {
    const size = Math.abs(value);
    if (size < 1000 - 10 ** -decimals / 2) return fixed(value, decimals);
    return size < 99_999.5 ? fixed(value, 0) : inUnits(value, 0);
  }

  function inUnits(value, decimals) {
    for (const [unit, name] of UNITS) {
      const size = Math.abs(value / unit);
      if (size >= 1000 - 10 ** -decimals / 2) continue;
      return fixed(value / unit, Math.max(decimals, size < 9.995 ? 2 : size < 99.95 ? 1 : 0)) + " " + name;
    }
    const [digits, power] = significant(Math.abs(value), 3);
    return (value < 0 ? MINUS : "") + digits[0] + "." + digits.slice(1) + "e" + power;
  }

  // Shares come in per cent here, so that a column filter means what its column shows.
  function changeText(percent) {
    if (percent == null) return UNKNOWN;
    const size = Math.abs(percent);
    return (size < 0.005 ? "" : percent > 0 ? "+" : MINUS) + shortened(size, 2) + " %";
  }

  function shareText(percent) {
    if (percent == null) return UNKNOWN;
    return shortened(percent, percent > 0 && percent < 0.1 ? 4 : 2) + " %";
  }

  function amountText(value) {
    if (value == null) return UNKNOWN;
    const size = Math.abs(value);
    if (size > 0 && size < 0.01) return fraction(value, 2);
    return size < 999.995 ? fixed(value, 2) : inUnits(value, 2);
  }

  // How many times the average a price is.
  const multipleText = (value, average) => shortened(value / average, 1) + TIMES;

  function wholeText(value) {
    return value == null ? UNKNOWN : fixed(value, 0);
  }

  // In the largest unit that two of it fit into.
  function durationText(seconds) {
    for (const [size, name] of DURATIONS) if (seconds >= 2 * size) return Math.floor(seconds / size) + " " + name;
    return Math.max(Math.trunc(seconds), 0) + " s";
  }

  // How much is known of a window of so many hours.
  function windowText(coverage, hours) {
    const known = coverage * hours;
    const part = known < 2 ? Math.round(known * 60) + " min" : Math.floor(known * 10 + 0.001) / 10 + " h";
    return part + " of " + hours + " h";
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

  function timeText(iso) {
    if (!iso) return UNKNOWN;
    const moment = new Date(iso);
    const shape = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
    if (moment.getSeconds()) shape.second = "2-digit";
    return shaped(moment, shape);
  }

  // The date only where it is not today's.
  function clockText(iso) {
    const time = timeText(iso);
    if (!iso) return time;
    const moment = new Date(iso);
    const whole = { year: "numeric", month: "numeric", day: "numeric" };
    if (shaped(moment, whole) === shaped(new Date(), whole)) return time;
    return shaped(moment, { day: "numeric", month: "short" }) + ", " + time;
  }

  window.trackerNotation = {
    priceText,
    changeText,
    shareText,
    amountText,
    multipleText,
    wholeText,
    timeText,
    durationText,
    windowText,
    clockText,
    chooseZone,
    zoneChoice,
    zoneName,
  };
})();
