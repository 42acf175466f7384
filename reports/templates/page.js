"use strict";

/** What all panels share: the data, the selected candidate, colours, charts. */
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

  // Charts
  charts: [],
  /** Draw what `build` returns, again whenever colours change, and select the candidate of a clicked mark. */
  chart(element, build) {
    const draw = () => {
      const { data, layout } = build();
      for (const trace of data.filter(({ customdata }) => customdata)) {
        trace.hovertext ??= trace.customdata.map((place) => report.data.entries[place]?.hover);
        trace.hovertemplate ??= "%{hovertext}<extra></extra>";
      }
      const narrow = report.narrow.matches;
      const fitted = {
        ...layout,
        dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
        font: { ...layout.font, size: narrow ? 12 : 13 },
        margin: narrow ? { ...layout.margin, l: 44, r: Math.min(layout.margin.r, 32) } : layout.margin,
        legend: narrow ? { ...layout.legend, entrywidth: 0.48, entrywidthmode: "fraction", font: { size: 11 } } : layout.legend,
      };
      return Plotly.react(element, report.themed(data), report.themed(fitted), report.config);
    };
    let drawn = false;
    const render = () => {
      if (!drawn) {
        drawn = true;
        draw();
        element.on("plotly_click", (event) => {
          const place = event.points[0].customdata;
          if (place !== undefined && place !== null) report.select(report.data.entries[place].id);
        });
      } else draw();
    };
    const chart = { render: () => drawn && render() };
    report.charts.push(chart);
    const near = new IntersectionObserver((seen) => {
      if (!seen.some((entry) => entry.isIntersecting)) return;
      near.disconnect();
      render();
    }, { rootMargin: "400px" });
    // Plotly comes last in the page, so that all else works before it is loaded.
    addEventListener("DOMContentLoaded", () => near.observe(element));
    return chart;
  },
  config: {
    displaylogo: false,
    responsive: true,
    modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
    toImageButtonOptions: { format: "svg" },
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
report.colors = report.read("report-colors");
report.counterparts = new Map(Object.values(report.colors));
report.dark = matchMedia("(prefers-color-scheme: dark)");
report.narrow = matchMedia("(max-width: 640px)");
report.byId = new Map(report.data.entries.map((entry) => [entry.id, entry]));
report.listeners = [];
report.budgets = new Map();
report.budgetListeners = [];
report.selected = null;

for (const query of [report.dark, report.narrow]) {
  query.addEventListener("change", () => report.charts.forEach((chart) => chart.render()));
}
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.pick) report.select(button.dataset.pick);
  else if (button?.dataset.copy) report.copy(button, button.dataset.copy);
  else if (button?.dataset.copyFrom) {
    report.copy(button, document.getElementById(button.dataset.copyFrom).textContent);
  }
});
