{
  const element = document.getElementById("chart-fidelity");
  if (element) {
    const figure = report.read("figure-fidelity");
    const data = figure.data.map((trace) => ({ ...trace, hovertemplate: "after epoch %{x}: τ %{y:.2f}<extra></extra>" }));
    report.chart(element, () => ({ data, layout: figure.layout }));
  }
}
