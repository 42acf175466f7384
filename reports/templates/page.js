/** What all panels share: the data, the selected candidate, the budgets, colours; rows.js and charts.js add to it. */
const report = {
  read(id) {
    return JSON.parse(document.getElementById(id).textContent);
  },
  element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  },
  /** Show what stands between backticks as code, everything else as text. */
  words(text) {
    return text.split("`").map((part, index) => (index % 2 ? report.element("code", {}, part) : part));
  },
  /** Do something once the page is shown and nothing else is to be done. */
  later(action) {
    addEventListener("load", () => (window.requestIdleCallback ?? setTimeout)(action));
  },
  say(text) {
    document.getElementById("said").textContent = text;
  },

  // The selected candidate
  select(id) {
    if (!report.byId.has(id)) return;
    report.selected = id;
    for (const listener of report.listeners) listener(report.byId.get(id));
  },
  onSelect(listener) {
    report.listeners.push(listener);
  },

  // The budgets: the most, or least, of a measure that the reader allows
  fits(entry) {
    return [...report.budgets].every(([measure, allows]) => allows(entry.values[measure]));
  },
  /** Set what a budget allows, a predicate on values of a measure; `null` lifts it. */
  budget(measure, allows) {
    if (allows) report.budgets.set(measure, allows);
    else report.budgets.delete(measure);
    for (const listener of report.budgetListeners) listener();
  },
  onBudget(listener) {
    report.budgetListeners.push(listener);
  },

  // Colours: a figure is drawn in light ones, each has a dark counterpart
  color(name) {
    return report.colors[name][0];
  },
  themed(value) {
    if (!report.dark.matches) return value;
    if (typeof value === "string") return report.counterparts.get(value) ?? value;
    if (Array.isArray(value)) return value.map(report.themed);
    if (value === null || typeof value !== "object") return value;
    const plain = ["x", "y", "customdata", "hovertext", "text"];
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, plain.includes(key) ? item : report.themed(item)]),
    );
  },

  // Files and the clipboard
  save(name, type, text) {
    const address = URL.createObjectURL(new Blob([text], { type }));
    report.element("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  },
  async copy(button, text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = report.element("textarea", { class: "unseen" }, text);
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    const before = button.textContent;
    button.textContent = "copied";
    report.say("Copied to the clipboard");
    setTimeout(() => (button.textContent = before), 1500);
  },
};

report.data = report.read("report-data");
report.data.entries = report.data.columns.id.map((id, place) => new Candidate(report.data, place));
report.data.byName = Object.fromEntries(report.data.measures.map((measure) => [measure.name, measure]));
report.colors = report.read("report-colors");
report.counterparts = new Map(Object.values(report.colors));
report.dark = matchMedia("(prefers-color-scheme: dark)");
report.narrow = matchMedia("(max-width: 640px)");
report.byId = new Map(report.data.entries.map((entry) => [entry.id, entry]));
report.listeners = [];
report.budgets = new Map();
report.budgetListeners = [];
report.selected = null;

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.pick) report.select(button.dataset.pick);
  else if (button?.dataset.copy) report.copy(button, button.dataset.copy);
  else if (button?.dataset.copyFrom) {
    report.copy(button, document.getElementById(button.dataset.copyFrom).textContent);
  }
});
