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
      const { text, symbol } = chosen(entry, point);
      const [, , params, flops] = data.costs[point][text];
      node.querySelector("use").setAttribute("href", `#${symbol}`);
      node.querySelector(".op").textContent = text;
      node.querySelector(".params").textContent = `${params} params`;
      node.querySelector(".flops").textContent = `${flops} FLOPs`;
    }
  };

  const fillTable = (entry) => {
    const rows = document.getElementById("point-rows").rows;
    report.data.points.forEach((name, point) => {
      const { text, values } = chosen(entry, point);
      const [exactParams, exactFlops, params, flops] = data.costs[point][text];
      const cells = rows[point].cells;
      cells[2].textContent = values.op;
      cells[3].textContent = values.r ?? "–";
      [cells[4].textContent, cells[4].title] = [params, exactParams.toLocaleString("en-US")];
      [cells[5].textContent, cells[5].title] = [flops, exactFlops.toLocaleString("en-US")];
    });
  };

  /** Name every candidate to choose from, group by group; the page holds the first only. */
  const fillSelect = () => {
    if (select.dataset.filled) return;
    select.dataset.filled = "yes";
    const words = (entry) => {
      const measures = report.data.measures.slice(0, 2).map(({ name, label }) => `${entry.shown[name]} ${label}`);
      return `${entry.id} · ${[...measures, ...(entry.knee ? ["knee"] : []), ...(entry.rank === null ? [entry.state] : [])].join(", ")}`;
    };
    const groups = [
      ["Front", (entry) => entry.rank === 1],
      ["Other complete", (entry) => entry.rank > 1],
      ["Not complete", (entry) => entry.rank === null],
    ];
    const filled = groups.map(([label, belongs]) => {
      const options = report.data.entries.filter(belongs).map((entry) => new Option(words(entry), entry.id));
      return options.length ? [report.element("optgroup", { label }, ...options)] : [];
    });
    select.replaceChildren(...filled.flat());
    select.value = report.selected;
  };

  if (select) {
    report.later(fillSelect);
    select.addEventListener("pointerdown", fillSelect);
    select.addEventListener("focus", fillSelect);
    report.onSelect((entry) => {
      if (entry.id !== report.data.first) fillSelect();
      select.value = entry.id;
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
