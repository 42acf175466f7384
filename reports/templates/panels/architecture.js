{
  const data = report.read("data-architecture");
  const select = document.getElementById("architecture-select");
  const part = (name) => document.getElementById(`architecture-${name}`);

  const chosen = (entry, point) => report.data.choices[entry.chosen[point]];
  const specification = (entry) => ({
    schema_version: data.schema_version,
    space: data.space,
    choices: report.data.points.map((name, point) => ({ point: name, ...chosen(entry, point).values })),
  });

  const drawNodes = (entry) => {
    for (const node of document.querySelectorAll("#architecture .node")) {
      const point = Number(node.dataset.point);
      const { text, operator, symbol } = chosen(entry, point);
      const [, , params, flops] = data.costs[point][text];
      node.querySelector("use").setAttribute("href", `#${symbol}`);
      node.querySelector(".op").textContent = operator;
      const resampler = node.querySelector(".resampler");
      if (resampler) resampler.textContent = `↑ ${report.resampler(entry.chosen[point])}`;
      node.querySelector(".params").textContent = `${params} params`;
      node.querySelector(".flops").textContent = `${flops} FLOPs`;
    }
  };

  const fillTable = (entry) => {
    const rows = document.getElementById("point-rows").rows;
    report.data.points.forEach((name, point) => {
      const { text, name: operator, values } = chosen(entry, point);
      const [exactParams, exactFlops, params, flops] = data.costs[point][text];
      const cells = rows[point].cells;
      cells[2].textContent = operator;
      cells[3].textContent = values.r ?? "–";
      const resampler = rows[point].querySelector(".resampler");
      if (resampler && data.resampled.includes(point)) resampler.textContent = report.resampler(entry.chosen[point]);
      const fill = (name, text, exact) => {
        const cell = rows[point].querySelector(name);
        [cell.textContent, cell.title] = [text, exact.toLocaleString("en-US")];
      };
      fill(".params", params, exactParams);
      fill(".flops", flops, exactFlops);
    });
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
