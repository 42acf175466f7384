/** Charts: Plotly sleeps in the page, as a text, until the first chart comes near. */
const PAPER = { width: 700, height: 330 };

Object.assign(report, {
  charts: [],
  waking: null,
  /** Wake Plotly; return whether it is there at once, as it is from within the page, else `waking` is its promise. */
  woken() {
    const asleep = document.getElementById("plotly");
    const { source } = asleep.dataset;
    const script = document.createElement("script");
    if (!source) {
      script.textContent = asleep.textContent;
      asleep.replaceWith(script);
      return true;
    }
    report.waking ??= new Promise((done, failed) => {
      script.addEventListener("load", done);
      script.addEventListener("error", () => failed(new Error(`Charts need the file ${source}, which belongs beside this one.`)));
      script.src = source;
      document.head.append(script);
    });
    return false;
  },

  /** Draw what `build` returns, again whenever colours change, and select the candidate of a clicked mark. */
  chart(element, build) {
    let drawn = false;
    const draw = () => {
      const { data, layout } = report.fitted(report.worded(build()), element);
      return Plotly.react(element, report.themed(data), report.themed(layout), report.config);
    };
    // Without a pause where Plotly is in the page: who prints does not wait.
    const render = () => {
      if (!window.Plotly && !report.woken()) return report.waking.then(render, (error) => (element.textContent = error.message));
      draw();
      if (drawn) return undefined;
      drawn = true;
      element.on("plotly_click", (event) => {
        const place = event.points[0].customdata;
        if (place !== undefined && place !== null) report.select(report.data.entries[place].id);
      });
      return undefined;
    };
    // Plotly's own buttons are inside: a figure may have such, an image may not.
    element.setAttribute("role", "figure");
    const chart = { element, draw: render, render: () => drawn && render() };
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
  /** Return a figure; where it has no point, with words in place of axes around nothing. */
  worded({ data, layout }) {
    const has = ({ x, y }) => x?.some((value, index) => value !== null && y[index] !== null);
    if (data.some(has)) return { data, layout };
    const axes = [layout.xaxis, layout.yaxis];
    const names = [...new Set(axes.map((axis) => axis.title?.text).filter(Boolean))];
    const [xaxis, yaxis] = axes.map((axis) => ({ ...axis, visible: false }));
    const words = { text: `Nothing to draw: no candidate has ${names.join(" and ") || "values"}.`, showarrow: false };
    const middle = { xref: "paper", yref: "paper", x: 0.5, y: 0.5 };
    return { data, layout: { ...layout, xaxis, yaxis, shapes: [], annotations: [{ ...words, ...middle }] } };
  },
  /** Return a figure as this window, or a sheet of paper, shows it; marks of candidates say which they are. */
  fitted({ data, layout }, element) {
    for (const trace of data.filter(({ customdata }) => customdata)) {
      trace.hovertext ??= trace.customdata.map((place) => report.data.entries[place]?.hover);
      trace.hovertemplate ??= "%{hovertext}<extra></extra>";
    }
    const narrow = report.narrow.matches && !report.printing;
    const fitted = {
      ...layout,
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      font: { ...layout.font, size: narrow ? 12 : 13 },
      margin: narrow ? { ...layout.margin, l: 44, r: Math.min(layout.margin.r, 32) } : layout.margin,
      legend: narrow ? { ...layout.legend, x: -0.2, itemwidth: 30, entrywidth: 0.48, entrywidthmode: "fraction", font: { size: 11 } } : layout.legend,
    };
    // Without a size of its own, the chart is as large as its box: that of the window, which is not yet a sheet.
    return { data, layout: report.printing ? { ...fitted, width: PAPER.width, height: PAPER.height } : fitted };
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
