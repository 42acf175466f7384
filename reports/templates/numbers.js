
/** Numbers as a person reads and writes them; `Measure.format` of reports/measures.py is the same in Python. */
report.numbers = {
  counts: [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]],
  bytes: [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]],

  /** Return a value with its unit: `97.21 %`, `24.1 k`, `3.2 ms`. */
  format({ style }, value) {
    if (value === null || value === undefined || !Number.isFinite(value)) return "–";
    if (style === "percent") return `${(100 * value).toFixed(2)} %`;
    if (style === "milliseconds") return `${Number(value.toPrecision(3))} ms`;
    if (style === "count") return report.numbers.scaled(value, report.numbers.counts, "");
    if (style === "bytes") return report.numbers.scaled(value, report.numbers.bytes, "B");
    return String(Number(value.toPrecision(4)));
  },
  scaled(value, scales, base) {
    // 999,950 rounds to 1.00 M, not to 1000 k.
    const found = scales.find(([scale]) => Math.abs(value) >= 0.9995 * scale);
    if (!found) return `${Number(value.toPrecision(4))} ${base}`.trimEnd();
    const scaled = value / found[0];
    const decimals = Math.abs(scaled) < 9.995 ? 2 : Math.abs(scaled) < 99.95 ? 1 : 0;
    return `${scaled.toFixed(decimals)} ${found[1]}`;
  },
  /** Return a difference with its sign: `+0.62 points`, `−3.1 k`. */
  signed(measure, difference) {
    if (!Number.isFinite(difference)) return "–";
    const size = Math.abs(difference);
    const text = measure.style === "percent" ? `${(100 * size).toFixed(2)} points` : report.numbers.format(measure, size);
    return `${difference === 0 ? "" : difference < 0 ? "−" : "+"}${text}`;
  },
  /** Return the number that a person wrote, `30 k`, `97 %`, `3.2 ms`, `24,123`; `null` where it is none. */
  parse({ style }, written) {
    const text = written.trim().replace(/^[≤≥<>=\s]+/, "").replaceAll("\u00a0", " ");
    const found = /^(-?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d*[.,]?\d+|\d+[.,]))(?:e([+-]?\d+))?\s*(%|[a-z]*)$/i.exec(text);
    if (!found) return null;
    const [, digits, exponent = "0", unit] = found;
    const plain = /^-?\d{1,3}(,\d{3})+/.test(digits) ? digits.replaceAll(",", "") : digits.replace(",", ".");
    const number = Number(`${plain}e${exponent}`);
    const factor = report.numbers.factor(style, unit, number);
    return factor === null || !Number.isFinite(number * factor) ? null : number * factor;
  },
  /** Return by what a number with this unit is multiplied; `null` where the measure has no such unit. */
  factor(style, unit, number) {
    if (style === "percent") return unit === "%" || (unit === "" && Math.abs(number) > 1) ? 0.01 : unit === "" ? 1 : null;
    if (unit === "") return 1;
    if (style === "milliseconds") return { ms: 1, s: 1e3, us: 1e-3 }[unit.toLowerCase()] ?? null;
    if (style === "count") return report.numbers.counts.find(([, name]) => name.toLowerCase() === unit.toLowerCase())?.[0] ?? null;
    if (style === "bytes") {
      const names = { b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 };
      const binary = report.numbers.bytes.find(([, name]) => name.toLowerCase() === unit.toLowerCase())?.[0];
      return binary ?? names[unit.toLowerCase()] ?? null;
    }
    return null;
  },
};
