/** Draw one of several figures, by what a select says is across. */
const variants = (name) => {
  const element = document.getElementById(`chart-${name}`);
  if (!element) return;
  const figures = report.read(`data-${name}`);
  const across = document.getElementById(`${name}-x`);
  const chart = report.chart(element, () => {
    const { data, layout } = figures[across ? across.value : Object.keys(figures)[0]];
    return { data: data.map((trace) => ({ ...trace })), layout: { ...layout, uirevision: across?.value } };
  });
  across?.addEventListener("change", () => chart.render());
};
variants("fronts");
