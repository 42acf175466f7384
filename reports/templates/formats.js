"use strict";

/** Numbers as people read them, to the digit as `reports.measures` writes them. */
const formats = {
  absent: "–",
  counts: [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]],
  bytes: [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]],

  /** Return the first significant digits of a positive number, ties to even, and the power of ten of the first. */
  digits(value, count) {
    const [mantissa, power] = value.toExponential(Math.min(100, count + 40)).split("e");
    const all = mantissa.replace(".", "");
    const [kept, rest] = [all.slice(0, count), all.slice(count)];
    const half = "5".padEnd(rest.length, "0");
    const up = rest > half || (rest === half && Number(kept.at(-1)) % 2 === 1);
    const rounded = up ? String(BigInt(kept) + 1n) : kept;
    return [rounded.slice(0, count), Number(power) + rounded.length - count];
  },
  /** Return a number with so many decimals, ties to even. */
  fixed(value, decimals) {
    const sign = value < 0 || Object.is(value, -0) ? "-" : "";
    const size = Math.abs(value);
    if (size === 0 || size >= 1e21) return sign + size.toFixed(decimals);
    const text = size.toFixed(decimals);
    const exact = size.toFixed(Math.min(100, decimals + 40));
    const place = exact.indexOf(".") + 1 + decimals;
    if (!/^50*$/.test(exact.slice(place))) return sign + text;
    // A tie: `toFixed` goes up, which is right where that is even.
    return sign + (Number(text.at(-1)) % 2 ? exact.slice(0, decimals ? place : place - 1) : text);
  },
  /** Return a number with at most so many significant digits, as `%g` does. */
  general(value, count) {
    if (value === 0) return Object.is(value, -0) ? "-0" : "0";
    const sign = value < 0 ? "-" : "";
    const [digits, power] = formats.digits(Math.abs(value), count);
    const trimmed = (text) => (text.includes(".") ? text.replace(/\.?0*$/, "") : text);
    if (power >= -4 && power < count) {
      const whole = power >= 0 ? digits.slice(0, power + 1) : "0";
      const part = power >= 0 ? digits.slice(power + 1) : "0".repeat(-power - 1) + digits;
      return sign + trimmed(`${whole}.${part}`);
    }
    const exponent = `${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
    return `${sign}${trimmed(`${digits[0]}.${digits.slice(1)}`)}e${exponent}`;
  },
  grouped(value) {
    return formats.fixed(value, 0).replace(/\B(?=(\d{3})+$)/g, ",");
  },
  scaled(value, scales, unit) {
    const found = scales.find(([scale]) => Math.abs(value) >= 0.9995 * scale);
    if (!found) return `${formats.general(value, 4)} ${unit}`.trimEnd();
    const part = value / found[0];
    const decimals = Math.abs(part) < 9.995 ? 2 : Math.abs(part) < 99.95 ? 1 : 0;
    return `${formats.fixed(part, decimals)} ${found[1]}`;
  },

  /** Return the value of a hyperparameter as a person reads it. */
  setting(value) {
    return typeof value === "number" && !Number.isInteger(value) ? formats.general(value, 3) : String(value);
  },
  /** Return a value as a person reads it, unit included: `97.21 %`, `24.1 k`, `3.2 ms`. */
  shown({ style }, value) {
    if (!Number.isFinite(value)) return formats.absent;
    if (style === "percent") return `${formats.fixed(100 * value, 2)} %`;
    if (style === "milliseconds") return `${formats.general(value, 3)} ms`;
    if (style === "count") return formats.scaled(value, formats.counts, "");
    if (style === "bytes") return formats.scaled(value, formats.bytes, "B");
    return formats.general(value, 4);
  },
  /** Return a value in full: `24,123`, `0.97214`. */
  exact({ style, unit }, value) {
    if (!Number.isFinite(value)) return formats.absent;
    const whole = style === "count" || style === "bytes";
    return `${whole ? formats.grouped(value) : formats.general(value, 10)} ${unit}`.trimEnd();
  },
};
