{
  const rows = [...document.querySelectorAll("#budget-controls .budget")];
  const part = (name) => document.getElementById(`budget-${name}`);
  const entries = report.data.entries;
  const complete = entries.filter((entry) => entry.rank !== null);

  /** Return a measure's control: what it limits, where its slider stops, its elements. */
  const control = (row) => {
    const measure = report.data.byName[row.dataset.measure];
    const values = (complete.length ? complete : entries).map((entry) => entry.values[measure.name]);
    const steps = [...new Set(values.filter((value) => value !== null))].sort((a, b) => a - b);
    const [range, text] = row.querySelectorAll("input");
    const [lift, problem] = [row.querySelector(".lift"), row.querySelector(".budget-problem")];
    return { row, measure, steps, upper: measure.sign > 0, range, text, lift, problem, bound: null, due: null };
  };
  const controls = rows.map(control);
  const byName = new Map(controls.map((one) => [one.measure.name, one]));
  const set = () => controls.filter(({ bound }) => bound !== null);
  const words = ({ measure, upper, bound }) => `${measure.label} ${upper ? "≤" : "≥"} ${formats.shown(measure, bound)}`;
  const allows = ({ measure, bound }) => (value) => value !== null && measure.sign * value <= measure.sign * bound;
  const budgetsOf = (limits) => new Map(limits.map((one) => [one.measure.name, { allows: allows(one), bound: one.bound }]));

  // A slider has one place more than there are steps: no limit, right of an upper bound and left of a lower one.
  const boundAt = ({ steps, upper }, place) => (upper ? steps[place] : steps[place - 1]) ?? null;
  const placeOf = ({ steps, upper, bound }) => {
    if (bound === null) return upper ? steps.length : 0;
    const below = steps.filter((step) => step <= bound).length;
    if (upper) return Math.max(0, below - 1);
    return below && steps[below - 1] === bound ? below : Math.min(steps.length, below + 1);
  };

  const show = (one) => {
    const { row, measure, range, text, lift, problem, bound, upper } = one;
    row.classList.toggle("set", bound !== null);
    range.value = placeOf(one);
    range.setAttribute("aria-valuetext", bound === null ? "no limit" : `${upper ? "at most" : "at least"} ${formats.shown(measure, bound)}`);
    text.value = bound === null ? "" : formats.shown(measure, bound);
    text.title = bound === null ? "" : String(bound);
    text.removeAttribute("aria-invalid");
    lift.disabled = bound === null;
    problem.textContent = "";
  };

  /** Return, where nothing fits, by lifting which limit how many would. */
  const hints = () =>
    set().flatMap((one) => {
      const others = set().filter((other) => other !== one).map((other) => [other.measure.name, allows(other)]);
      const fitting = complete.filter(({ values }) => others.every(([name, allowed]) => allowed(values[name])));
      return fitting.length ? [`Without the limit on ${one.measure.label} ${fitting.length} would fit.`] : [];
    });

  const counted = () => {
    const [all, whole] = [entries.filter(report.fits), complete.filter(report.fits)];
    const { name, sign } = report.data.byName[report.data.quality];
    const best = whole.reduce((a, b) => (sign * b.values[name] < sign * a.values[name] ? b : a), whole[0]);
    return { all, whole, best };
  };

  const describeCount = ({ all, whole, best }) => {
    const strong = (text) => report.element("b", {}, text);
    const said = [strong(`${all.length} of ${entries.length}`), " candidates fit", ...(complete.length ? [", of the complete ones ", strong(`${whole.length} of ${complete.length}`)] : []), "."];
    if (best) {
      const shown = report.data.measures.filter(({ name }) => byName.has(name) && best.values[name] !== null);
      const measures = shown.map((measure) => `${formats.shown(measure, best.values[measure.name])} ${measure.label}`).join(", ");
      said.push(" The best of them: ", report.pick(best), ", ", ...report.words(best.description), `, ${measures}.`);
    } else if (set().length && complete.length) said.push(` ${hints().join(" ") || "Each limit alone leaves none, or two exclude each other."}`);
    const unknown = set().map(({ measure }) => [measure, entries.filter(({ values }) => values[measure.name] === null).length]);
    for (const [measure, count] of unknown.filter(([, count]) => count)) {
      said.push(` ${count} without a value of ${measure.label} count${count === 1 ? "s" : ""} as outside.`);
    }
    return said;
  };

  let inView = true;
  const showBar = () => (part("bar").hidden = !report.budgeted || inView);
  const showAll = () => {
    const found = counted();
    part("count").replaceChildren(...describeCount(found));
    part("bar-words").textContent = `${set().map(words).join(", ")}: ${found.all.length} of ${entries.length} fit`;
    for (const button of document.querySelectorAll("[data-lift-all]")) button.disabled = !report.budgeted;
    showBar();
  };

  /** Give limits other bounds, those without one `null`, and let every panel follow. */
  const change = (bounds) => {
    for (const [one, bound] of bounds) {
      one.bound = bound;
      show(one);
    }
    report.setBudgets(budgetsOf(set()));
  };
  const byReader = (bounds) => {
    change(bounds);
    document.getElementById("left-out").hidden = true;
    report.remember("budget");
  };

  /** Follow a slider while it is moved, at most once a frame. */
  const follow = (one) => {
    one.due ??= requestAnimationFrame(() => {
      one.due = null;
      byReader([[one, boundAt(one, Number(one.range.value))]]);
    });
  };
  const type = (one) => {
    const bound = one.text.value.trim() === "" ? null : formats.parsed(one.measure, one.text.value);
    if (bound === null && one.text.value.trim() !== "") {
      one.text.setAttribute("aria-invalid", "true");
      one.problem.textContent = `No ${one.measure.label}: write it as ${formats.shown(one.measure, one.steps[Math.floor(one.steps.length / 2)])}.`;
    } else byReader([[one, bound]]);
  };
  const liftAll = () => byReader(controls.map((one) => [one, null]));

  for (const one of controls) {
    one.range.max = one.steps.length;
    one.range.addEventListener("input", () => follow(one));
    one.range.addEventListener("change", () => report.say(part("count").textContent));
    one.text.addEventListener("focus", () => one.text.select());
    // What is shown is rounded; the bound stays as it is until somebody writes.
    one.text.addEventListener("change", () => type(one));
    one.text.addEventListener("keydown", ({ key }) => key === "Escape" && show(one));
    one.lift.addEventListener("click", () => {
      byReader([[one, null]]);
      one.range.focus();
    });
    show(one);
  }

  /** Return the bound that a pair of the address gives, or why it gives none. */
  const boundOf = ({ name, operator, value }) => {
    const one = byName.get(name);
    const number = value.trim() === "" ? NaN : Number(value);
    const wrong = { "<=": true, ">=": false, "=": one?.upper }[operator] !== one?.upper;
    return one && !wrong && Number.isFinite(number) ? [one, number] : null;
  };
  const read = (pairs) => {
    const found = pairs.map((pair) => [pair, boundOf(pair)]);
    change(new Map([...controls.map((one) => [one, null]), ...found.map(([, bound]) => bound).filter(Boolean)]));
    return found.filter(([, bound]) => bound === null).map(([pair]) => pair);
  };

  if (controls.length) {
    document.addEventListener("click", (event) => event.target.closest("[data-lift-all]") && liftAll());
    part("controls").addEventListener("submit", (event) => event.preventDefault());
    part("link").addEventListener("click", ({ currentTarget }) => report.copy(currentTarget, report.address("budget")));
    report.onBudget(showAll);
    report.keep({ read, write: () => set().map(({ measure, bound }) => [measure.name, String(bound)]) });
    new IntersectionObserver(([seen]) => {
      inView = seen.isIntersecting;
      showBar();
    }).observe(part("controls"));
    showAll();
  }
}
