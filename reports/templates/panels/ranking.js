{
  const table = document.getElementById("ranking-table");
  const unranked = document.getElementById("unranked-rows");
  if (unranked) {
    const entries = report.data.entries.filter((entry) => entry.rank === null);
    report.rows(unranked, report.stopped, document.getElementById("show-all-unranked"))(entries);
  }
  if (table) {
    const { checkpoints } = report.read("data-ranking");
    const heads = [...table.tHead.rows[0].cells];
    const ranked = report.data.entries.filter((entry) => entry.rank !== null);

    const share = (part) => (part ? `${formats.fixed(100 * part, 2)} %` : formats.absent);
    const row = (entry) => {
      const weights = checkpoints[entry.id] ? `\nweights: ${checkpoints[entry.id]}` : "";
      const copy = report.element("button", { type: "button", class: "copy", "data-copy": entry.command, title: entry.command + weights }, "copy");
      const knee = entry.knee ? [" ", report.element("span", { class: "tag knee" }, "knee")] : [];
      const made = report.element(
        "tr", { "data-id": entry.id, ...(entry.rank === 1 ? { class: "front" } : {}) },
        report.cell("num rank", String(entry.rank)),
        report.cell("", report.pick(entry), ...knee),
        report.cell("", report.strip(entry)),
        ...report.data.measures.map(({ name }) => report.measured(entry, name)),
        report.element("td", { class: "num", title: String(entry.contribution) }, share(entry.contribution)),
        report.cell("", entry.kind),
        report.cell("", entry.command ? copy : formats.absent),
      );
      made.classList.toggle("selected", entry.id === report.selected);
      return made;
    };
    const show = report.rows(table.tBodies[0], row, document.getElementById("show-all"));

    let [by, descending] = [heads[0], false];
    const value = (entry) => (by.dataset.measure ? entry.values[by.dataset.measure] : entry[by.dataset.by]);
    const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
    /** Return candidates by the column chosen; what is missing stays last, equals keep the ranking's order. */
    const sorted = (entries) =>
      entries.toSorted((first, second) => {
        const [a, b] = [value(first), value(second)];
        if (a === null || b === null) return (a === null) - (b === null);
        return (descending ? -1 : 1) * compare(a, b);
      });
    const refresh = () => show(sorted(ranked.filter(report.fits)));
    table.tHead.addEventListener("click", (event) => {
      const head = event.target.closest("button.sort")?.closest("th");
      if (!head) return;
      [by, descending] = [head, head.getAttribute("aria-sort") === "ascending"];
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      refresh();
    });
    report.onBudget(refresh);
    refresh();
    report.onSelect((entry) => {
      for (const made of table.tBodies[0].rows) made.classList.toggle("selected", made.dataset.id === entry.id);
    });

    const columns = ["rank", "id", "number", "kind", "state", "epochs", "knee", "contribution", "description", "reason"];
    const rows = () =>
      report.data.entries.map((entry) => ({
        ...Object.fromEntries(columns.map((column) => [column, entry[column]])),
        ...Object.fromEntries(report.data.measures.map(({ name, column }) => [column, entry.values[name]])),
      }));
    const field = (item) => (/[",\r\n]/.test(item) ? `"${item.replaceAll('"', '""')}"` : item);
    const csv = (items) => {
      const names = [...columns, ...report.data.measures.map(({ column }) => column)];
      const lines = items.map((item) => names.map((name) => field(String(item[name] ?? ""))).join(","));
      return `${[names.join(","), ...lines].join("\r\n")}\r\n`;
    };
    document.getElementById("save-csv").addEventListener("click", () => report.save(`${report.data.run}-ranking.csv`, "text/csv", csv(rows())));
    document.getElementById("save-json").addEventListener("click", () => report.save(`${report.data.run}-ranking.json`, "application/json", JSON.stringify(rows(), null, 2)));
  }
}
