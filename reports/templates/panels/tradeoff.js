{
  const figure = report.read("figure-tradeoff");
  const { axes, signs, quality, retrained, x: firstX, y: firstY } = report.read("data-tradeoff");
  const entries = report.data.entries;
  const control = (name) => document.getElementById(name);
  const chosenAxes = () => [control("axis-x").value, control("axis-y").value];

  /** Return the places of the ranked candidates that none other beats in both measures, by x. */
  const frontOf = (x, y) => {
    const loss = (place, name) => signs[name] * entries[place].values[name];
    const known = entries
      .map((entry, place) => place)
      .filter((place) => entries[place].rank !== null && entries[place].values[x] !== null && entries[place].values[y] !== null)
      .filter((place) => report.fits(entries[place]))
      .sort((a, b) => loss(a, x) - loss(b, x) || loss(a, y) - loss(b, y));
    const front = [];
    for (const place of known) {
      const last = front.at(-1);
      const equal = last !== undefined && loss(last, x) === loss(place, x) && loss(last, y) === loss(place, y);
      if (last === undefined || equal || loss(place, y) < loss(last, y)) front.push(place);
    }
    return front.sort((a, b) => entries[a].values[x] - entries[b].values[x]);
  };

  /** Return both ends of the interval of each retrained network. */
  const barEnds = () => {
    const halves = figure.data.find(({ meta }) => meta === "retrained")?.error_y?.array ?? [];
    return retrained.flatMap(({ values }, place) =>
      [-1, 1].map((sign) => ({ values: { [quality]: values[quality] === null ? null : values[quality] + sign * (halves[place] ?? 0) } })),
    );
  };
  const ranked = entries.filter((entry) => entry.rank !== null);
  const whole = ranked.length ? ranked : entries.filter((entry) => entry.state === "complete");
  /** Return the range of an axis that holds the complete candidates with room around them. */
  const rangeOf = (name, log) => {
    const known = [...whole, ...retrained, ...(name === quality ? barEnds() : [])]
      .filter((entry) => entry.values[name] !== null && (!log || entry.values[name] > 0))
      .map((entry) => (log ? Math.log10(entry.values[name]) : entry.values[name]));
    if (!known.length) return undefined;
    const [low, high] = [known.reduce((a, b) => Math.min(a, b)), known.reduce((a, b) => Math.max(a, b))];
    const room = 0.09 * (high - low) || 0.02 * Math.abs(high) || 0.5;
    return [low - room, high + room];
  };

  const build = () => {
    const [x, y] = chosenAxes();
    const front = frontOf(x, y);
    const inside = new Set(front);
    const values = (places, name) => places.map((place) => entries[place].values[name]);
    const data = figure.data.map((trace) => {
      if (trace.meta === "retrained") return averaged(trace, x, y);
      const places = trace.meta === "front" ? front : trace.customdata.filter((place) => report.fits(entries[place]));
      const drawn = { ...trace, ...within(trace, places), x: values(places, x), y: values(places, y) };
      if (trace.meta === "front") {
        drawn.name = `front (${front.length})`;
        drawn.line = { ...trace.line, shape: signs[x] > 0 ? "hv" : "vh" };
      }
      if (trace.meta === "search") {
        const colors = places.map((place) => report.color(inside.has(place) ? "front" : "search"));
        drawn.marker = { ...trace.marker, color: colors };
      }
      return drawn;
    });
    data.unshift(outside(x, y));
    const place = entries.findIndex((entry) => entry.id === report.selected);
    if (place >= 0) data.push(ring(place, x, y));
    const axis = (base, name, log) => ({
      ...base,
      ...axes[name],
      ...(control(log).checked ? { type: "log" } : { type: "linear" }),
      ...(control("fit").checked ? { range: rangeOf(name, control(log).checked) } : { autorange: true }),
    });
    const layout = {
      ...figure.layout,
      // Selecting a candidate keeps what the reader zoomed to; other axes start anew.
      uirevision: [x, y, control("log-x").checked, control("log-y").checked, control("fit").checked].join(),
      margin: { ...figure.layout.margin, r: 44 },
      shapes: [...limit("x", x), ...limit("y", y)],
      xaxis: axis(figure.layout.xaxis, x, "log-x"),
      yaxis: axis(figure.layout.yaxis, y, "log-y"),
    };
    listFront(front, x, y);
    return { data, layout };
  };

  /** Return what a trace of candidates has of those that fit: their places, their texts, how many they are. */
  const within = ({ customdata, text, name }, places) => {
    if (!report.budgeted || !customdata) return {};
    const kept = new Set(places);
    const texts = Array.isArray(text) ? { text: text.filter((_, index) => kept.has(customdata[index])) } : {};
    return { customdata: places, ...texts, name: name.replace(/\(\d+\)$/, `(${places.length})`) };
  };

  /** Return faint marks of the candidates outside the budgets. */
  const outside = (x, y) => {
    const places = report.budgeted ? entries.map((entry, place) => place).filter((place) => !report.fits(entries[place])) : [];
    return {
      type: "scatter",
      mode: "markers",
      x: places.map((place) => entries[place].values[x]),
      y: places.map((place) => entries[place].values[y]),
      customdata: places,
      marker: { symbol: "circle", size: 5, color: report.color("other-curve"), opacity: 0.7 },
      name: `outside (${places.length})`,
      meta: "outside",
      visible: places.length > 0,
    };
  };
  /** Return a line at the budget of the measure on an axis. */
  const limit = (axis, name) => {
    const bound = report.budgets.get(name)?.bound ?? null;
    if (bound === null) return [];
    const other = axis === "x" ? "y" : "x";
    return [{
      type: "line", layer: "below", line: { color: report.color("accent"), width: 1.5, dash: "dash" },
      [`${axis}ref`]: axis, [`${other}ref`]: "paper",
      [`${axis}0`]: bound, [`${axis}1`]: bound, [`${other}0`]: 0, [`${other}1`]: 1,
    }];
  };

  /** Return the retrained networks at these measures; the quality has a bar, whichever axis it is on. */
  const averaged = ({ error_y: bar, ...trace }, x, y) => {
    const kept = retrained.map((mark, index) => index).filter((index) => report.fits(retrained[index]));
    const of = (list) => kept.map((index) => list[index]);
    const bars = { ...bar, array: of(bar.array) };
    return {
      ...trace,
      x: of(retrained).map(({ values }) => values[x]),
      y: of(retrained).map(({ values }) => values[y]),
      customdata: of(trace.customdata),
      hovertext: of(trace.hovertext),
      name: `retrained (${kept.length})`,
      ...(x === quality ? { error_x: bars } : {}),
      ...(y === quality ? { error_y: bars } : {}),
    };
  };

  const ring = (place, x, y) => ({
    type: "scatter",
    mode: "markers",
    x: [entries[place].values[x]],
    y: [entries[place].values[y]],
    marker: { symbol: "circle-open", size: 22, color: report.color("selected"), line: { width: 2, color: report.color("selected") } },
    name: "selected",
    meta: "selected",
    hoverinfo: "skip",
    showlegend: false,
  });

  const listFront = (front, x, y) => {
    const label = (name) => report.data.byName[name].label;
    control("front-count").textContent = front.length;
    control("front-x").textContent = label(x);
    control("front-y").textContent = label(y);
    control("front-rows").replaceChildren(
      ...front.map((place) => {
        const entry = entries[place];
        return report.element(
          "tr", {}, report.cell("", report.pick(entry)), report.cell("words", ...report.words(entry.description)),
          report.measured(entry, x), report.measured(entry, y),
        );
      }),
    );
  };

  /** Show the selected candidate beside the chart. */
  const show = (entry) => {
    const rows = report.data.measures.flatMap((measure) => [
      report.element("dt", {}, measure.label),
      report.element("dd", { title: entry.exact[measure.name] }, entry.shown[measure.name]),
    ]);
    const rank = entry.rank === null ? entry.state : `rank ${entry.rank}`;
    const actions = report.element("p", { class: "actions" }, report.element("a", { href: "#architecture" }, "Architecture"));
    const compare = report.element("button", { type: "button", class: "copy", "data-compare": entry.id }, "compare");
    if (entry.command) {
      actions.append(report.element("button", { type: "button", class: "copy", "data-copy": entry.command, title: entry.command }, "copy export command"));
    }
    const parts = [
      report.element("h3", {}, report.element("code", {}, entry.id)),
      report.element("p", {}, [`candidate ${entry.number}`, rank, entry.kind, entry.knee ? "knee" : ""].filter(Boolean).join(", ")),
      report.element("p", {}, ...report.words(entry.description)),
      report.strip(entry),
      report.element("dl", {}, ...rows),
    ];
    if (entry.reason) parts.push(report.element("p", {}, entry.reason));
    actions.append(compare);
    parts.push(report.element("p", { id: "selection-outside" }));
    control("selection").replaceChildren(...parts, actions);
    showOutside();
  };
  const showOutside = () => {
    const words = report.selected === null ? "" : report.outside(report.byId.get(report.selected));
    const note = control("selection-outside");
    if (!note) return;
    note.textContent = words;
    note.hidden = !words;
  };

  control("axis-x").value = firstX;
  control("axis-y").value = firstY;
  const chart = report.chart(control("chart-tradeoff"), build);
  control("tradeoff-controls").addEventListener("change", () => chart.render());
  report.onSelect((entry) => {
    show(entry);
    chart.render();
  });
  const follow = report.whenNear(control("chart-tradeoff"), () => chart.render());
  report.onBudget(() => {
    showOutside();
    listFront(frontOf(...chosenAxes()), ...chosenAxes());
    follow();
  });
}
