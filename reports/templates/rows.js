/** Tables of candidates: parts of a row, and tables of which the page holds the first rows only. */
Object.assign(report, {
  pick(entry) {
    const title = `Show the architecture of candidate ${entry.number}`;
    return report.element("button", { type: "button", class: "pick", "data-pick": entry.id, title }, entry.id);
  },
  state(name) {
    return report.element("span", { class: `state state-${name}` }, name);
  },
  /** Return the cell of a measure. */
  measured(entry, name) {
    return report.element("td", { class: "num", title: entry.exact[name] }, entry.shown[name]);
  },
  cell(className, ...parts) {
    return report.element("td", className ? { class: className } : {}, ...parts);
  },
  chip(place, point) {
    const { values, text, symbol, letter } = report.data.choices[place];
    const title = `${report.data.points[point]}: ${text}`;
    const made = report.element("span", { class: `chip ${symbol}`, title }, letter);
    if (values.r !== undefined) made.append(report.element("small", {}, String(values.r)));
    if (values.resampler !== undefined) made.append(report.element("small", {}, `↑${values.resampler[0]}`));
    return made;
  },
  /** Return the chips of a candidate, of the points that its network has. */
  chips({ chosen }) {
    return chosen.flatMap((place, point) => (place === null ? [] : [report.chip(place, point)]));
  },
  /** Return the resampler of a choice. */
  resampler(place) {
    return report.data.choices[place].values.resampler ?? "bilinear";
  },
  /** Return a row of a candidate that has no rank. */
  stopped(entry) {
    const { name } = report.data.measures.find(({ quality }) => quality);
    return report.element(
      "tr", { "data-id": entry.id },
      report.cell("num", String(entry.number)),
      report.cell("", report.pick(entry)),
      report.cell("", report.state(entry.state)),
      report.cell("num", String(entry.epochs)),
      report.measured(entry, name),
      report.cell("words reason", entry.reason || formats.absent),
    );
  },
  strip(entry) {
    const label = entry.description.replaceAll("`", "");
    return report.element("span", { class: "strip", role: "img", "aria-label": label }, ...report.chips(entry));
  },

  /**
   * Fill a table's body with candidates: the first ones at once, all others when the button is pressed, some at a time.
   * Rows that the page already has are kept; `data-id` says whose they are.
   */
  rows(body, make, button = null) {
    const known = new Map([...body.rows].map((row) => [row.dataset.id, row]));
    const first = body.rows.length;
    let [all, step, items] = [button === null, 0, []];
    const row = (entry) => {
      if (!known.has(entry.id)) known.set(entry.id, make(entry));
      return known.get(entry.id);
    };
    const fill = (from, turn) => {
      if (turn !== step) return;
      const to = Math.min(items.length, from + 200);
      body.append(...items.slice(from, to).map(row));
      if (to < items.length) setTimeout(fill, 0, to, turn);
    };
    const show = (entries) => {
      items = entries;
      step += 1;
      body.replaceChildren(...items.slice(0, all ? 200 : first).map(row));
      if (all) fill(200, step);
      if (button) {
        button.hidden = all || items.length <= first;
        button.textContent = `Show all ${items.length.toLocaleString("en-US")}`;
      }
    };
    button?.addEventListener("click", () => {
      all = true;
      show(items);
    });
    return show;
  },
});
