{
  const stopped = document.getElementById("stopped-rows");
  if (stopped) {
    const entries = report.data.entries
      .filter(({ state, epochs }) => epochs > 0 && (state === "pruned" || state === "failed"))
      .sort((a, b) => a.number - b.number);
    report.rows(stopped, report.stopped, document.getElementById("show-all-stopped"))(entries);
  }

  const element = document.getElementById("chart-learning");
  if (element) {
    const figure = report.read("figure-learning");
    const entries = report.data.entries;

    /** Return the selected candidate's curve, found among those drawn. */
    const highlighted = () => {
      const place = entries.findIndex((entry) => entry.id === report.selected);
      const trace = figure.data.find(({ mode, customdata }) => mode.startsWith("lines") && customdata.includes(place));
      if (!trace) return [];
      const inside = trace.customdata.map((owner, index) => (owner === place ? index : -1)).filter((index) => index >= 0);
      return [{
        type: "scatter",
        mode: "lines+markers",
        x: inside.map((index) => trace.x[index]),
        y: inside.map((index) => trace.y[index]),
        customdata: inside.map(() => place),
        line: { color: report.color("baseline"), width: 3 },
        marker: { size: 6 },
        name: "selected",
        meta: "selected",
      }];
    };
    const build = () => ({
      data: [...figure.data, ...highlighted()].map((trace) => ({
        ...trace,
        hovertemplate: "epoch %{x}: %{y}<br>%{hovertext}<extra></extra>",
      })),
      layout: figure.layout,
    });
    const chart = report.chart(element, build);
    report.onSelect(() => chart.render());
  }
}
