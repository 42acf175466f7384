{
  const data = report.read("data-architecture");
  const select = document.getElementById("architecture-select");
  const part = (name) => document.getElementById(`architecture-${name}`);

  const chosen = (entry, point) => report.data.choices[entry.chosen[point]];
  const networkOf = (entry) => data.networks[entry.network];
  const specification = (entry) => ({
    schema_version: data.schema_version,
    space: networkOf(entry).space,
    choices: report.data.points
      .map((name, point) => [name, point])
      .filter(([, point]) => entry.chosen[point] !== null)
      .map(([name, point]) => ({ point: name, ...chosen(entry, point).values })),
  });
  /** Show the parts of a candidate's host network alone, and return those of a kind, with the place of their point. */
  const partsOf = (entry, kind, within) => {
    for (const part of document.querySelectorAll(`#architecture ${kind}`)) part.hidden = Number(part.dataset.network) !== entry.network;
    const shown = document.querySelectorAll(`#architecture ${kind}[data-network="${entry.network}"] ${within}`);
    return [...shown].map((part) => [part, Number(part.dataset.point)]);
  };

  const drawNodes = (entry) => {
    for (const [node, point] of partsOf(entry, ".network", ".node")) {
      const { text, operator, symbol } = chosen(entry, point);
      const [, , params, flops] = networkOf(entry).costs[point][text];
      node.querySelector("use").setAttribute("href", `#${symbol}`);
      node.querySelector(".op").textContent = operator;
      const resampler = node.querySelector(".resampler");
      if (resampler) resampler.textContent = `↑ ${report.resampler(entry.chosen[point])}`;
      node.querySelector(".params").textContent = `${params} params`;
      node.querySelector(".flops").textContent = `${flops} FLOPs`;
    }
  };

  const fillTable = (entry) => {
    const rows = partsOf(entry, "tbody", "tr");
    part("count").textContent = rows.length;
    for (const [row, point] of rows) {
      const { text, name: operator, values } = chosen(entry, point);
      const [exactParams, exactFlops, params, flops] = networkOf(entry).costs[point][text];
      row.cells[2].textContent = operator;
      row.cells[3].textContent = values.r ?? "–";
      const resampler = row.querySelector(".resampler");
      if (resampler && data.resampled.includes(point)) resampler.textContent = report.resampler(entry.chosen[point]);
      const fill = (name, shown, exact) => {
        const cell = row.querySelector(name);
        [cell.textContent, cell.title] = [shown, exact.toLocaleString("en-US")];
      };
      fill(".params", params, exactParams);
      fill(".flops", flops, exactFlops);
    }
  };

  if (select) {
    const chosenEntry = () => report.byId.get(report.selected ?? report.data.first);
    const shown = report.candidateSelect(select, chosenEntry);
    const showOutside = () => {
      part("outside").textContent = report.outside(chosenEntry());
      part("outside").hidden = !part("outside").textContent;
    };
    report.later(shown.fill);
    report.onBudget(showOutside);
    report.onSelect((entry) => {
      shown.show();
      showOutside();
      part("id").textContent = entry.id;
      part("words").replaceChildren(...report.words(entry.description));
      part("state").textContent = entry.state;
      if (part("trained")) part("trained").textContent = entry.trained;
      for (const cell of part("measures").querySelectorAll("[data-measure]")) {
        cell.textContent = entry.shown[cell.dataset.measure];
        cell.title = entry.exact[cell.dataset.measure];
      }
      drawNodes(entry);
      fillTable(entry);
      part("spec").textContent = JSON.stringify(specification(entry), null, 2);
      part("export").hidden = !entry.command;
      part("command").textContent = entry.command;
    });
    select.addEventListener("change", () => report.select(select.value));
  }
}
