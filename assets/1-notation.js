// Numbers and times as text; layouts/notation.py writes the same on the server.
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
  /** @type {Map<string, Intl.NumberFormat>} */
  const formats = new Map(); // Intl formatters are slow to make and cheap to use

  /** @type {(decimals: number, value: number, notation: "standard" | "scientific") => string} */
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

  /** @type {(value: number, decimals: number) => string} */
  const fixed = (value, decimals) => format(decimals, value, "standard");

  /**
   * The first `count` significant digits without a point, and the power of ten of the first digit.
   * @type {(size: number, count: number) => [digits: string, power: number]}
   */
  function significant(size, count) {
    const [digits, power] = format(count - 1, size, "scientific").split("E");
    return [digits.replace(".", ""), Number(power.replace(MINUS, "-"))];
  }

  const subscript = (/** @type {number} */ number) =>
    [...String(number)].map((digit) => String.fromCharCode(0x2080 + Number(digit))).join("");

  /**
   * At least four significant digits in at most eleven characters.
   * @type {Notation["priceText"]}
   */
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

  /**
   * A number below one with `count` significant digits. Five or more zeros after the point are written as their number.
   * @type {(value: number, count: number) => string}
   */
  function fraction(value, count) {
    const [digits, power] = significant(Math.abs(value), count);
    if (power >= -5) return fixed(value, count - 1 - power);
    return (value < 0 ? MINUS : "") + "0.0" + subscript(-power - 1) + digits;
  }

  /**
   * With `decimals` below a thousand, whole up to 99,999, and in units beyond.
   * @type {(value: number, decimals: number) => string}
   */
  function shortened(value, decimals) {
    const size = Math.abs(value);
    if (size < 1000 - 10 ** -decimals / 2) return fixed(value, decimals);
    return size < 99_999.5 ? fixed(value, 0) : inUnits(value, 0);
  }

  /** @type {(value: number, decimals: number) => string} */
  function inUnits(value, decimals) {
    for (const [unit, name] of UNITS) {
      const size = Math.abs(value / unit);
      if (size >= 1000 - 10 ** -decimals / 2) continue;
      return fixed(value / unit, Math.max(decimals, size < 9.995 ? 2 : size < 99.95 ? 1 : 0)) + " " + name;
    }
    const [digits, power] = significant(Math.abs(value), 3);
    return (value < 0 ? MINUS : "") + digits[0] + "." + digits.slice(1) + "e" + power;
  }

  /**
   * Changes and shares are in per cent, so that a column filter compares what its column shows.
   * @type {Notation["changeText"]}
   */
  function changeText(percent) {
    if (percent == null) return UNKNOWN;
    const size = Math.abs(percent);
    return (size < 0.005 ? "" : percent > 0 ? "+" : MINUS) + shortened(size, 2) + " %";
  }

  /** @type {Notation["shareText"]} */
  function shareText(percent) {
    if (percent == null) return UNKNOWN;
    return shortened(percent, percent > 0 && percent < 0.1 ? 4 : 2) + " %";
  }

  /** @type {Notation["amountText"]} */
  function amountText(value) {
    if (value == null) return UNKNOWN;
    const size = Math.abs(value);
    if (size > 0 && size < 0.01) return fraction(value, 2);
    return size < 999.995 ? fixed(value, 2) : inUnits(value, 2);
  }

  /** @type {Notation["multipleText"]} */
  const multipleText = (value, average) => shortened(value / average, 1) + TIMES;

  /** @type {Notation["wholeText"]} */
  function wholeText(value) {
    return value == null ? UNKNOWN : fixed(value, 0);
  }

  /**
   * In the largest unit of which there are at least two.
   * @type {Notation["durationText"]}
   */
  function durationText(seconds) {
    for (const [size, name] of DURATIONS) if (seconds >= 2 * size) return Math.floor(seconds / size) + " " + name;
    return Math.max(Math.trunc(seconds), 0) + " s";
  }

  /**
   * How much is known of a window of so many hours.
   * @type {Notation["windowText"]}
   */
  function windowText(coverage, hours) {
    const known = coverage * hours;
    const part = known < 2 ? Math.round(known * 60) + " min" : Math.floor(known * 10 + 0.001) / 10 + " h";
    return part + " of " + hours + " h";
  }

  // ---- the viewer's own time zone, or UTC if it was chosen
  let chosenZone = "local";
  try {
    chosenZone = localStorage.getItem("zone") || "local";
  } catch {
    // Storage can be forbidden: the choice then lasts until the tab closes.
  }

  /** @type {Notation["chooseZone"]} */
  function chooseZone(choice) {
    chosenZone = choice;
    try {
      localStorage.setItem("zone", choice);
    } catch {
      // Storage can be forbidden.
    }
  }

  const zoneChoice = () => chosenZone;
  const zoneName = () => (chosenZone === "utc" ? "UTC" : Intl.DateTimeFormat().resolvedOptions().timeZone);

  /** @type {(moment: Date, options: Intl.DateTimeFormatOptions) => string} */
  const inZone = (moment, options) =>
    new Intl.DateTimeFormat("en-GB", { timeZone: zoneName(), ...options }).format(moment);

  /** @type {Notation["timeText"]} */
  function timeText(iso) {
    if (!iso) return UNKNOWN;
    const moment = new Date(iso);
    const second = moment.getSeconds() ? "2-digit" : undefined;
    return inZone(moment, { hour: "2-digit", minute: "2-digit", second, hourCycle: "h23" });
  }

  /**
   * With the date unless it is today's.
   * @type {Notation["clockText"]}
   */
  function clockText(iso) {
    const time = timeText(iso);
    if (!iso) return time;
    const moment = new Date(iso);
    /** @type {Intl.DateTimeFormatOptions} */
    const date = { year: "numeric", month: "numeric", day: "numeric" };
    if (inZone(moment, date) === inZone(new Date(), date)) return time;
    return inZone(moment, { day: "numeric", month: "short" }) + ", " + time;
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
