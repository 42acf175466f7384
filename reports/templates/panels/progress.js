{
  const element = document.getElementById("chart-progress");
  if (element) {
    const figure = report.read("figure-progress");
    const { candidates } = report.read("data-progress");
    const across = document.getElementById("progress-x");
    const build = () => {
      const byEpochs = across.value === "epochs";
      const title = { ...figure.layout.xaxis.title, text: byEpochs ? "trained epochs" : "candidates" };
      return {
        data: figure.data.map((trace, index) => ({
          ...trace,
          x: byEpochs ? trace.x : candidates[index],
          hovertemplate: `%{y:.1%} after %{x:,} ${byEpochs ? "epochs" : "candidates"}<extra>${trace.name}</extra>`,
        })),
        layout: { ...figure.layout, xaxis: { ...figure.layout.xaxis, title } },
      };
    };
    const chart = report.chart(element, build);
    across.addEventListener("change", () => chart.render());
  }
}
