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

  // The budgets: the most, or least, of a measure that the reader allows.
  // A panel that shows candidates asks `fits`, again after each `onBudget`. A table row with `data-candidate="ID"`
  // is hidden while its candidate is outside. What is calculated from all candidates says so: `fromAll(element)`
  // here, `from_all()` of macros.html in a template; either is visible only while a budget is set.
  /** Return whether a candidate, or anything else with `values`, is within every budget. */
  fits({ values }) {
    for (const [measure, { allows }] of report.budgets) if (!allows(values[measure] ?? null)) return false;
    return true;
  },
  /** Set what a budget allows, a predicate on values of a measure (`null`: unknown); `null` lifts it. */
  budget(measure, allows, bound = null) {
    const budgets = new Map(report.budgets);
    if (allows) budgets.set(measure, { allows, bound });
    else budgets.delete(measure);
    report.setBudgets(budgets);
  },
  /** Set all budgets at once: what each allows, and the bound that it stands for, by measure. */
  setBudgets(budgets) {
    report.budgets = budgets;
    document.documentElement.classList.toggle("budgeted", report.budgeted);
    for (const row of document.querySelectorAll("tr[data-candidate]")) {
      row.hidden = !report.fits(report.byId.get(row.dataset.candidate) ?? { values: {} });
    }
    for (const listener of report.budgetListeners) listener();
  },
  get budgeted() {
    return report.budgets.size > 0;
  },
  onBudget(listener) {
    report.budgetListeners.push(listener);
  },
  /** Return what does something as soon as an element is near the window: at once, or when it has come, then once. */
  whenNear(element, action) {
    let [near, due] = [true, false];
    const seen = (entries) => {
      near = entries.at(-1).isIntersecting;
      if (!near || !due) return;
      due = false;
      action();
    };
    new IntersectionObserver(seen, { rootMargin: "400px" }).observe(element);
    return () => {
      if (near) action();
      else due = true;
    };
  },
  /** Return in words what of a candidate is outside the budgets; empty where nothing is. */
  outside({ values }) {
    const broken = [...report.budgets].filter(([name, { allows }]) => !allows(values[name] ?? null));
    const words = broken.map(([name]) => {
      const measure = report.data.byName[name];
      const known = (values[name] ?? null) !== null;
      return known ? `${formats.shown(measure, values[name])} ${measure.label}` : `${measure.label} unknown`;
    });
    return words.length ? `Outside the budgets: ${words.join(", ")}.` : "";
  },
  /** Say at the end of an element that its numbers are from all candidates, as long as a budget is set. */
  fromAll(element, words = "These numbers are") {
    const note = report.element("p", { class: "note from-all" }, `${words} from all candidates, whatever the budgets.`);
    element.append(note);
    return note;
  },
  /** Return those of the candidates that no other of them beats in all objectives, in their order. */
  frontOf(entries) {
    const objectives = report.data.measures.filter(({ name }) => report.data.objectives.includes(name));
    const known = entries
      .map((entry) => ({ entry, losses: objectives.map(({ name, sign }) => (entry.values[name] === null ? NaN : sign * entry.values[name])) }))
      .filter(({ losses }) => !losses.some(Number.isNaN));
    const order = (a, b) => a.losses.map((loss, at) => loss - b.losses[at]).find((difference) => difference) ?? 0;
    const beats = (a, b) => a.losses.every((loss, at) => loss <= b.losses[at]) && order(a, b) !== 0;
    const front = [];
    // In this order nobody is beaten by one that comes later.
    for (const one of known.sort(order)) if (!front.some((other) => beats(other, one))) front.push(one);
    const inside = new Set(front.map(({ entry }) => entry));
    return entries.filter((entry) => inside.has(entry));
  },

  // Colours: a figure is drawn in light ones, each has a dark counterpart
  color(name) {
    return report.colors[name][0];
  },
  themed(value) {
    if (!report.dark.matches || report.printing) return value;
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
