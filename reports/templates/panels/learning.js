{
  const stopped = document.getElementById("stopped-rows");
  if (stopped) {
    const entries = report.data.entries
      .filter(({ state, epochs }) => epochs > 0 && (state === "pruned" || state === "failed"))
      .sort((a, b) => a.number - b.number);
    const show = report.rows(stopped, report.stopped, document.getElementById("show-all-stopped"));
    const refresh = () => {
      const fitting = entries.filter(report.fits);
      show(fitting);
      document.getElementById("stopped-count").textContent = fitting.length;
    };
    report.onBudget(refresh);
    refresh();
  }

  const element = document.getElementById("chart-learning");
  if (element) {
    const figure = report.read("figure-learning");
    const entries = report.data.entries;

    const { sign, name: quality } = report.data.byName[report.data.quality];
    const isLine = ({ mode }) => mode.startsWith("lines");

    // The curves by their candidates' places in the catalog.
    const curves = new Map();
    for (const { x, y, customdata } of figure.data.filter(isLine)) {
      customdata.forEach((place, index) => {
        if (place === null) return;
        if (!curves.has(place)) curves.set(place, { x: [], y: [] });
        curves.get(place).x.push(x[index]);
        curves.get(place).y.push(y[index]);
      });
    }
    const owners = ({ customdata }) => [...new Set(customdata.filter((place) => place !== null))];
    const whole = [...curves.keys()].filter((place) => entries[place].state === "complete").sort((a, b) => a - b);
    const ranked = whole.filter((place) => entries[place].rank !== null);
    ranked.sort((a, b) => sign * (entries[a].values[quality] - entries[b].values[quality]));
    // Those beyond a constraint stand in the order of the catalog, the least violating first.
    const complete = [...ranked, ...whole.filter((place) => entries[place].rank === null)];
    const fits = (place) => report.fits(entries[place]);
    const best = figure.data.filter(({ meta }) => meta === "top").flatMap(owners);
    const leading = () => complete.filter(fits).slice(0, best.length);

    /** Return one line of several curves, with a gap after each. */
    const joined = (places) => ({
      x: places.flatMap((place) => [...curves.get(place).x, null]),
      y: places.flatMap((place) => [...curves.get(place).y, null]),
      customdata: places.flatMap((place) => [...curves.get(place).x.map(() => place), null]),
    });
    /** Return a trace with the candidates that fit alone; the best are the best of those. */
    const limited = (trace) => {
      const { meta, name, customdata } = trace;
      const first = leading();
      const own = { top: first, others: complete.filter((place) => fits(place) && !first.includes(place)) };
      const places = own[meta] ?? owners(trace).filter(fits);
      const named = name ? { name: name.replace(/\d+(?=\)?$)/, places.length) } : {};
      if (isLine(trace)) return { ...trace, ...joined(places), ...named };
      const of = (list) => list.filter((_, index) => fits(customdata[index]));
      return { ...trace, ...named, x: of(trace.x), y: of(trace.y), customdata: of(customdata) };
    };

    /** Return the selected candidate's curve, where it has one. */
    const highlighted = () => {
      const place = entries.findIndex((entry) => entry.id === report.selected);
      if (!curves.has(place)) return [];
      return [{
        type: "scatter",
        mode: "lines+markers",
        ...curves.get(place),
        customdata: curves.get(place).x.map(() => place),
        line: { color: report.color("baseline"), width: 3 },
        marker: { size: 6 },
        name: "selected",
        meta: "selected",
      }];
    };
    const build = () => ({
      data: [...(report.budgeted ? figure.data.map(limited) : figure.data), ...highlighted()].map((trace) => ({
        ...trace,
        hovertemplate: "epoch %{x}: %{y}<br>%{hovertext}<extra></extra>",
      })),
      layout: figure.layout,
    });

    const table = document.getElementById("leading-rows");
    const asFirst = table ? [...table.rows] : [];
    const row = (place) => {
      const values = curves.get(place).y.map((value) => report.cell("num", formats.shown(report.data.byName[quality], value)));
      return report.element("tr", {}, report.cell("", report.pick(entries[place])), ...values);
    };
    const listLeading = () => {
      if (!table) return;
      table.replaceChildren(...(report.budgeted ? leading().map(row) : asFirst));
      document.getElementById("leading-count").textContent = table.rows.length;
    };

    const chart = report.chart(element, build);
    report.onSelect(() => chart.render());
    const follow = report.whenNear(element, () => chart.render());
    report.onBudget(() => {
      listLeading();
      follow();
    });
  }
}
