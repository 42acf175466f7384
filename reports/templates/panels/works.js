{
  const views = [...document.querySelectorAll("#works .works-view")];
  const select = document.getElementById("works-quality");
  const show = () => views.forEach((view, at) => (view.hidden = select ? view.dataset.quality !== select.value : at > 0));
  select?.addEventListener("change", show);
  show();

  /** Return an operator with its options, without r, as the table has it. */
  const operators = report.data.choices.map(({ values, operator }) => (values.r === undefined ? operator : operator.replace(` r=${values.r}`, "")));
  const { drawn } = report.data;
  const counted = [
    ...report.data.entries.filter(({ state, kind }) => state === "complete" && ["search", "baseline"].includes(kind)),
    ...drawn.chosen.map((chosen, place) => ({
      chosen,
      values: Object.fromEntries(Object.entries(drawn.values).map(([name, column]) => [name, column[place]])),
    })),
  ];
  const has = ({ point, operator, resampler, r }, { chosen: all }) => {
    const chosen = r === undefined ? all : all.filter((place) => place !== null);
    if (resampler !== undefined) return report.resampler(chosen[Number(point)]) === resampler;
    const places = r === undefined ? [chosen[Number(point)]] : chosen;
    return places.some((place) => operators[place] === operator && (r === undefined || String(report.data.choices[place].values.r) === r));
  };
  /** Count and average anew the candidates that are within the budgets. */
  const count = () => {
    for (const view of views) {
      const { quality } = view.dataset;
      const known = counted.filter((entry) => entry.values[quality] !== null && report.fits(entry));
      for (const row of view.querySelectorAll(".works-table tbody tr")) {
        const values = known.filter((entry) => has(row.dataset, entry)).map((entry) => entry.values[quality]);
        const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
        row.querySelector(".n").textContent = values.length;
        row.querySelector(".mean").textContent = formats.shown(report.data.byName[quality], mean);
      }
    }
  };
  report.onBudget(count);
}
