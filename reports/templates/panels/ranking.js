{
  const table = document.getElementById("ranking-table");
  if (table) {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    const all = document.getElementById("show-all");
    if (all) table.classList.add("short");

    const value = (row, column) => {
      const text = row.cells[column].dataset.v ?? "";
      const number = Number(text);
      return text === "" ? null : heads[column].classList.contains("num") && !Number.isNaN(number) ? number : text;
    };
    const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
    /** Sort by a column; what is missing stays last. */
    const sort = (column, descending) => {
      const rows = [...body.rows].map((row, place) => ({ row, place, value: value(row, column) }));
      rows.sort((a, b) => {
        if (a.value === null || b.value === null) return (a.value === null) - (b.value === null) || a.place - b.place;
        return (descending ? -1 : 1) * compare(a.value, b.value) || a.place - b.place;
      });
      const limit = table.classList.contains("short") ? [...body.rows].filter((row) => !row.classList.contains("more")).length : Infinity;
      rows.forEach(({ row }, place) => row.classList.toggle("more", place >= limit));
      body.append(...rows.map(({ row }) => row));
      heads.forEach((head) => head.removeAttribute("aria-sort"));
      heads[column].setAttribute("aria-sort", descending ? "descending" : "ascending");
    };
    table.tHead.addEventListener("click", (event) => {
      const head = event.target.closest("button.sort")?.closest("th");
      if (!head) return;
      const column = heads.indexOf(head);
      sort(column, head.getAttribute("aria-sort") === "ascending");
    });
    all?.addEventListener("click", () => {
      table.classList.remove("short");
      all.parentElement.remove();
    });
    report.onSelect((entry) => {
      for (const row of body.rows) row.classList.toggle("selected", row.dataset.id === entry.id);
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
