/** Numbers that a person writes, and differences with their sign. */
Object.assign(formats, {
  /** Return a difference with its sign: `+0.62 points`, `−3.1 k`. */
  signed(measure, difference) {
    if (!Number.isFinite(difference)) return formats.absent;
    const size = Math.abs(difference);
    const text = measure.style === "percent" ? `${formats.fixed(100 * size, 2)} points` : formats.shown(measure, size);
    return `${difference === 0 ? "" : difference < 0 ? "−" : "+"}${text}`;
  },
  /** Return the number that a person wrote, `30 k`, `97 %`, `3.2 ms`, `24,123`; `null` where it is none. */
  parsed({ style }, written) {
    const text = written.trim().replace(/^[≤≥<>=\s]+/, "").replaceAll("\u00a0", " ");
    const found = /^(-?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d*[.,]?\d+|\d+[.,]))(?:e([+-]?\d+))?\s*(%|[a-z]*)$/i.exec(text);
    if (!found) return null;
    const [, digits, exponent = "0", unit] = found;
    const plain = /^-?\d{1,3}(,\d{3})+/.test(digits) ? digits.replaceAll(",", "") : digits.replace(",", ".");
    const number = Number(`${plain}e${exponent}`);
    const value = number * formats.unit(style, unit.toLowerCase(), number);
    return Number.isFinite(value) ? value : null;
  },
  /** Return by what a number with this unit is multiplied; `NaN` where the measure has no such unit. */
  unit(style, unit, number) {
    if (style === "percent") return unit === "%" || (unit === "" && Math.abs(number) > 1) ? 0.01 : unit === "" ? 1 : NaN;
    const named = (scales) => Object.fromEntries(scales.map(([scale, name]) => [name.toLowerCase(), scale]));
    const units = {
      milliseconds: { us: 1e-3, ms: 1, s: 1e3 },
      count: named(formats.counts),
      bytes: { ...named(formats.bytes), b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 },
    };
    return unit === "" ? 1 : new Map(Object.entries(units[style] ?? {})).get(unit) ?? NaN;
  },
});
