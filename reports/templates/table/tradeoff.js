{
  const element = document.getElementById("chart-tradeoff");
  if (element) {
    const figure = report.read("figure-tradeoff");
    const { y, axes, shapes, fronts, values, hover } = report.read("data-tradeoff");
    const across = document.getElementById("tradeoff-x");
    const chart = report.chart(element, () => {
      const x = across.value;
      const everyone = values[x].map((_, place) => place);
      const data = figure.data.map((trace) => {
        const places = trace.meta === "front" ? fronts[x] : everyone;
        const of = (column) => places.map((place) => column[place]);
        return {
          ...trace,
          x: of(values[x]),
          y: of(values[y]),
          name: `${trace.name} (${places.length})`,
          hovertext: of(hover),
          hovertemplate: "%{hovertext}<extra></extra>",
          ...(trace.line ? { line: { ...trace.line, shape: shapes[x] } } : {}),
        };
      });
      return { data, layout: { ...figure.layout, uirevision: x, xaxis: { ...figure.layout.xaxis, ...axes[x] } } };
    });
    across.addEventListener("change", () => chart.render());
  }
}
