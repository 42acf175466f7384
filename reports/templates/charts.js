/** Charts: Plotly sleeps in the page, as a text, until the first chart comes near. */
Object.assign(report, {
  charts: [],
  /** Return a promise of Plotly; from within the page it is there at once. */
  plotly() {
    if (window.Plotly) return Promise.resolve();
    if (report.waking) return report.waking;
    const asleep = document.getElementById("plotly");
    const { source } = asleep.dataset;
    const script = document.createElement("script");
    if (!source) {
      script.textContent = asleep.textContent;
      asleep.replaceWith(script);
      return Promise.resolve();
    }
    report.waking = new Promise((done, failed) => {
      script.addEventListener("load", () => done());
      script.addEventListener("error", () => failed(new Error(`Charts need the file ${source}, which belongs beside this one.`)));
    });
    script.src = source;
    document.head.append(script);
    return report.waking;
  },

  /** Draw what `build` returns, again whenever colours change, and select the candidate of a clicked mark. */
  chart(element, build) {
    let drawn = false;
    const draw = () => {
      const { data, layout } = report.fitted(build(), element);
      return Plotly.react(element, report.themed(data), report.themed(layout), report.config);
    };
    const render = async () => {
      try {
        if (!window.Plotly) await report.plotly();
      } catch (error) {
        element.textContent = error.message;
        return;
      }
      draw();
      if (drawn) return;
      drawn = true;
      element.on("plotly_click", (event) => {
        const place = event.points[0].customdata;
        if (place !== undefined && place !== null) report.select(report.data.entries[place].id);
      });
    };
    const chart = { draw: render, render: () => drawn && render() };
    report.charts.push(chart);
    const near = new IntersectionObserver((seen) => {
      if (!seen.some((entry) => entry.isIntersecting)) return;
      near.disconnect();
      render();
    }, { rootMargin: "400px" });
    // Plotly comes last in the page, so that all else works before it is there.
    addEventListener("DOMContentLoaded", () => near.observe(element));
    return chart;
  },
  /** Return a figure as this window, or a sheet of paper, shows it; marks of candidates say which they are. */
  fitted({ data, layout }, element) {
    for (const trace of data.filter(({ customdata }) => customdata)) {
      trace.hovertext ??= trace.customdata.map((place) => report.data.entries[place]?.hover);
      trace.hovertemplate ??= "%{hovertext}<extra></extra>";
    }
    const narrow = report.narrow.matches;
    const fitted = {
      ...layout,
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      font: { ...layout.font, size: narrow ? 12 : 13 },
      margin: narrow ? { ...layout.margin, l: 44, r: Math.min(layout.margin.r, 32) } : layout.margin,
      legend: narrow ? { ...layout.legend, entrywidth: 0.48, entrywidthmode: "fraction", font: { size: 11 } } : layout.legend,
    };
    return { data, layout: fitted };
  },
  config: {
    displaylogo: false,
    responsive: true,
    modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
    toImageButtonOptions: { format: "svg" },
  },
});

for (const query of [report.dark, report.narrow]) {
  query.addEventListener("change", () => report.charts.forEach((chart) => chart.render()));
}
