/** A select of candidates, those within the budgets and the chosen one; filled once it comes near or is used.
 *
 * `chosen()` returns the candidate that it shows; after that has changed, call `show()` of what is returned; `fill()`
 * fills it at once.
 */
report.candidateSelect = (select, chosen) => {
  const groups = [
    ["Front", ({ rank }) => rank === 1],
    ["Other complete", ({ rank }) => rank > 1],
    ["Beyond the constraints", ({ rank, state }) => rank === null && state === "complete"],
    ["Not complete", ({ rank, state }) => rank === null && state !== "complete"],
  ];
  const words = (entry) => {
    const shown = report.data.measures.slice(0, 2).map(({ name, label }) => `${entry.shown[name]} ${label}`);
    const notes = [...(entry.knee ? ["knee"] : []), ...(entry.rank === null ? [entry.state] : []), ...(report.fits(entry) ? [] : ["outside the budgets"])];
    return `${entry.id} · ${[...shown, ...notes].join(", ")}`;
  };
  const option = (entry) => new Option(words(entry), entry.id);
  let filled = false;
  const fill = () => {
    filled = true;
    const there = report.data.entries.filter((entry) => report.fits(entry) || entry === chosen());
    const made = groups.flatMap(([label, belongs]) => {
      const inside = there.filter(belongs);
      return inside.length ? [report.element("optgroup", { label }, ...inside.map(option))] : [];
    });
    select.replaceChildren(...made);
    select.value = chosen().id;
  };
  const show = () => {
    const entry = chosen();
    if (filled && !report.fits(entry)) fill();
    else if (![...select.options].some(({ value }) => value === entry.id)) select.append(option(entry));
    select.value = entry.id;
  };
  const fillOnce = () => filled || fill();
  select.addEventListener("pointerdown", fillOnce);
  select.addEventListener("focus", fillOnce);
  const near = new IntersectionObserver((seen) => {
    if (!seen.some(({ isIntersecting }) => isIntersecting)) return;
    near.disconnect();
    fillOnce();
  }, { rootMargin: "400px" });
  near.observe(select);
  report.onBudget(report.whenNear(select, () => filled && fill()));
  select.replaceChildren(option(chosen()));
  return { show, fill: fillOnce };
};
