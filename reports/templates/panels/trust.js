{
  const element = document.getElementById("chart-trust");
  if (element) {
    const figure = report.read("figure-trust");
    const data = figure.data.map((trace) => ({
      ...trace,
      hovertemplate: `%{text}: short %{x}, from scratch %{y}<extra>${trace.name}</extra>`,
    }));
    report.chart(element, () => ({ data, layout: figure.layout }));
  }
}
