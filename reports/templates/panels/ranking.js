{
  const table = document.getElementById("ranking-table");
  const unranked = document.getElementById("unranked-rows");
  if (unranked) {
    const entries = report.data.entries.filter((entry) => entry.rank === null);
    const show = report.rows(unranked, report.stopped, document.getElementById("show-all-unranked"));
    const refresh = () => {
      const fitting = entries.filter(report.fits);
      show(fitting);
      document.getElementById("unranked-count").textContent = fitting.length;
    };
    report.onBudget(refresh);
    refresh();
  }
  if (table) {
    const { checkpoints } = report.read("data-ranking");
    const heads = [...table.tHead.rows[0].cells];
    const ranked = report.data.entries.filter((entry) => entry.rank !== null);

    const share = (part) => (part ? `${formats.fixed(100 * part, 2)} %` : formats.absent);
    const setting = ({ hyperparameters }, name) =>
      report.element("td", { class: "num", title: String(hyperparameters[name]) }, formats.setting(hyperparameters[name]));
    const row = (entry) => {
      const weights = checkpoints[entry.id] ? `\nweights: ${checkpoints[entry.id]}` : "";
      const copy = report.element("button", { type: "button", class: "copy", "data-copy": entry.command, title: entry.command + weights }, "copy");
      const knee = entry.knee ? [" ", report.element("span", { class: "tag knee" }, "knee")] : [];
      const made = report.element(
        "tr", { "data-id": entry.id },
        report.cell("num rank", String(entry.rank)),
        report.cell("", report.pick(entry), ...knee),
        report.cell("", report.strip(entry)),
        ...report.data.hyperparameters.map(({ name }) => setting(entry, name)),
        ...report.data.measures.map(({ name }) => report.measured(entry, name)),
        report.element("td", { class: "num", title: String(entry.contribution) }, share(entry.contribution)),
        report.cell("", entry.kind),
        report.cell("", entry.command ? copy : formats.absent),
      );
      made.classList.toggle("selected", entry.id === report.selected);
      madeRows.set(entry.id, made);
      mark(made);
      return made;
    };
    // The front is that of the candidates within the budgets; where it is not that of all, a word says so.
    const madeRows = new Map([...table.tBodies[0].rows].map((made) => [made.dataset.id, made]));
    let front = new Set();
    const mark = (made) => {
      made.classList.toggle("front", front.has(made.dataset.id));
      made.querySelector(".tag.front")?.remove();
      if (!report.budgeted || !front.has(made.dataset.id)) return;
      made.cells[1].append(report.element("span", { class: "tag front", title: "on the front of what is within the budgets" }, "front"));
    };
    const show = report.rows(table.tBodies[0], row, document.getElementById("show-all"));

    let [by, descending] = [heads[0], false];
    const value = (entry) => {
      const { measure, setting: name } = by.dataset;
      return measure ? entry.values[measure] : name ? entry.hyperparameters[name] : entry[by.dataset.by];
    };
    const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
    /** Return candidates by the column chosen; what is missing stays last, equals keep the ranking's order. */
    const sorted = (entries) =>
      entries.toSorted((first, second) => {
        const [a, b] = [value(first), value(second)];
        if (a === null || b === null) return (a === null) - (b === null);
        return (descending ? -1 : 1) * compare(a, b);
      });
    const none = document.getElementById("ranking-none");
    const refresh = () => {
      const fitting = ranked.filter(report.fits);
      front = new Set((report.budgeted ? report.frontOf(fitting) : fitting.filter(({ rank }) => rank === 1)).map(({ id }) => id));
      for (const made of madeRows.values()) mark(made);
      show(sorted(fitting));
      none.hidden = fitting.length > 0;
      document.getElementById("saved-count").textContent = `${report.data.entries.filter(report.fits).length} of ${report.data.entries.length} candidates`;
    };
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
    // While budgets are set, each row says whether it is within them, and what they are.
    const budgets = () => [...report.budgets].map(([name, { bound }]) => `${name}${report.data.byName[name].sign > 0 ? "<=" : ">="}${bound}`).join(" ");
    const saved = () => report.data.entries.filter((entry) => document.getElementById("save-all").checked || report.fits(entry));
    const rows = () =>
      saved().map((entry) => ({
        ...Object.fromEntries(columns.map((column) => [column, entry[column]])),
        ...entry.hyperparameters,
        ...Object.fromEntries(report.data.measures.map(({ name, column }) => [column, entry.values[name]])),
        ...(report.budgeted ? { within_budgets: report.fits(entry), budgets: budgets() } : {}),
      }));
    const fileName = (suffix) => {
      const filtered = report.budgeted && !document.getElementById("save-all").checked;
      return `${report.data.run}-ranking${filtered ? "-within-budgets" : ""}.${suffix}`;
    };
    const field = (item) => (/[",\r\n]/.test(item) ? `"${item.replaceAll('"', '""')}"` : item);
    const csv = (items) => {
      const names = [...columns, ...report.data.hyperparameters.map(({ name }) => name), ...report.data.measures.map(({ column }) => column), ...(report.budgeted ? ["within_budgets", "budgets"] : [])];
      const lines = items.map((item) => names.map((name) => field(String(item[name] ?? ""))).join(","));
      return `${[names.join(","), ...lines].join("\r\n")}\r\n`;
    };
    document.getElementById("save-csv").addEventListener("click", () => report.save(fileName("csv"), "text/csv", csv(rows())));
    document.getElementById("save-json").addEventListener("click", () => report.save(fileName("json"), "application/json", JSON.stringify(rows(), null, 2)));
  }
}
