{
  const { figures } = report.read("data-recipes");
  const entries = report.data.entries;
  /** Return the marks of candidates that are within the budgets alone. */
  const limited = (trace) => {
    const of = (list) => list.filter((_, at) => report.fits(entries[trace.customdata[at]]));
    return { ...trace, x: of(trace.x), y: of(trace.y), customdata: of(trace.customdata) };
  };
  /** Return a ring around the selected candidate, where it is drawn. */
  const ring = (traces) => {
    const place = entries.findIndex(({ id }) => id === report.selected);
    for (const { customdata, x, y } of traces.filter(({ meta }) => meta === "candidates")) {
      const at = customdata.indexOf(place);
      if (at < 0) continue;
      const marker = { symbol: "circle-open", size: 17, color: report.color("selected"), line: { width: 2 } };
      return [{ type: "scatter", mode: "markers", x: [x[at]], y: [y[at]], customdata: [place], marker, showlegend: false, meta: "selected" }];
    }
    return [];
  };
  document.querySelectorAll("#recipes .recipe-chart").forEach((element, index) => {
    const { data, layout } = figures[index];
    const chart = report.chart(element, () => {
      const traces = data.map((trace) => (trace.meta === "candidates" ? limited(trace) : { ...trace }));
      return { data: [...traces, ...ring(traces)], layout };
    });
    report.onSelect(() => chart.render());
    report.onBudget(report.whenNear(element, () => chart.render()));
  });
}
