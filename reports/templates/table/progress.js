{
  const element = document.getElementById("chart-progress");
  if (element) {
    const figure = report.read("figure-progress");
    report.chart(element, () => ({ data: figure.data.map((trace) => ({ ...trace })), layout: { ...figure.layout } }));
  }
}
