{
  const first = document.getElementById("two-a");
  if (first) {
    const data = report.read("data-two");
    const { networks } = report.read("data-architecture");
    const part = (name) => document.getElementById(`two-${name}`);
    const { signed } = formats;
    const { measures, points, choices, byName } = report.data;
    const quality = byName[report.data.quality];
    const placeOf = new Map(report.data.entries.map((entry, place) => [entry.id, place]));

    let [a, b] = [report.byId.get(data.first), report.byId.get(data.second)];

    // Fusion points
    const symbol = (key) => {
      const [svg, use] = ["svg", "use"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
      for (const [name, value] of [["width", 24], ["height", 24], ["aria-hidden", "true"]]) svg.setAttribute(name, value);
      for (const [name, value] of [["href", `#${key}`], ["width", 24], ["height", 24]]) use.setAttribute(name, value);
      svg.append(use);
      return svg;
    };
    const choice = ({ symbol: key, text }) => report.element("span", { class: "choice" }, symbol(key), text);
    /** Return the choice of a candidate at a point and its costs; nothing where its network has no such point. */
    const at = (entry, point) => {
      const one = choices[entry.chosen[point]];
      return one ? [one, networks[entry.network].costs[point][one.text]] : [null, [0, 0]];
    };
    const pointRow = (point) => {
      const [[one, mine], [other, theirs]] = [at(a, point), at(b, point)];
      const cost = (which, name) => [
        report.cell("num", formats.shown(byName[name], mine[which])),
        report.cell("num", formats.shown(byName[name], theirs[which])),
        report.cell("num differs", signed(byName[name], mine[which] - theirs[which])),
      ];
      const shown = (found) => report.cell("", found ? choice(found) : "no such point");
      const name = report.element("th", { scope: "row" }, report.element("code", {}, points[point]));
      return report.element("tr", {}, name, shown(one), shown(other), ...cost(0, "params"), ...cost(1, "flops"));
    };
    const trainedApart = () => (a.trained === b.trained ? "" : ` A has ${a.trained}; B has ${b.trained}.`);
    const showPoints = () => {
      const differing = points.map((name, point) => point).filter((point) => a.chosen[point] !== b.chosen[point]);
      part("points").replaceChildren(...differing.map(pointRow));
      part("points-scroll").hidden = !differing.length;
      const same = a === b ? "Choose two different candidates." : `They are the same at every fusion point.${trainedApart()}`;
      part("points-said").textContent = differing.length
        ? `They differ at ${differing.length} of ${points.length} fusion points.${trainedApart()}`
        : same;
    };

    // Measures
    /** Return what A is, in a word, a sign and a class, by a difference and what is known of it. */
    const worth = (measure, difference, told = true) => {
      const loss = measure.sign * difference;
      if (!told) return ["≈", "not told apart", ""];
      if (!Number.isFinite(loss)) return ["", "–", ""];
      return loss === 0 ? ["=", "equal", ""] : loss < 0 ? ["▲", "better", "two-better"] : ["▼", "worse", "two-worse"];
    };
    const ratio = (mine, theirs) => (mine >= 0 && theirs > 0 && Number.isFinite(mine / theirs) ? `${Number((mine / theirs).toPrecision(3))} ×` : "–");
    const row = (label, measure, [mine, theirs], [sign, word, className], sure, kind = "") => {
      const known = mine !== null && theirs !== null;
      const mark = report.element("span", { class: `two-word ${known ? className : ""}` }, ...(known ? [report.element("span", { "aria-hidden": "true" }, `${sign} `), word] : ["–"]));
      return report.element(
        "tr", kind ? { class: kind } : {}, report.element("th", { scope: "row" }, label),
        report.cell("num", formats.shown(measure, mine)), report.cell("num", formats.shown(measure, theirs)),
        report.cell("num", known ? signed(measure, mine - theirs) : "–"), report.cell("num", known ? ratio(mine, theirs) : "–"),
        report.cell("", mark), report.cell("sure", ...report.words(sure)),
      );
    };
    const whole = ({ state }) => state === "complete";
    /** Return whether two times can be told apart, and the words for it. */
    const apart = (measure, mine, theirs) => {
      const spread = data.spread[measure.name];
      const [one, other] = [a, b].map(({ id }) => spread?.[placeOf.get(id)] ?? null);
      if (one === null || other === null) return [true, "measured once: no interval"];
      const told = Math.abs(mine - theirs) > (one + other) / 2;
      return [told, `interquartile ranges ${formats.shown(measure, one)} and ${formats.shown(measure, other)} ${told ? "do not overlap" : "overlap"}`];
    };
    const measureRow = (measure) => {
      const [mine, theirs] = [a, b].map(({ values }) => values[measure.name]);
      const difference = mine - theirs;
      const known = mine !== null && theirs !== null;
      let [told, sure] = [true, "exact"];
      if (!known) sure = "not measured of both";
      else if (measure.style === "milliseconds") [told, sure] = apart(measure, mine, theirs);
      else if (!["params", "flops"].includes(measure.name)) sure = "one seed each: no interval";
      if (known && measure.quality && !(whole(a) && whole(b))) sure = "the last value of what was not trained to the end";
      const words = measure.quality ? `${measure.label}, validation` : measure.label;
      return row(words, measure, [mine, theirs], worth(measure, difference, told), sure);
    };

    // Networks that were retrained
    /** Return the interval of A − B, whichever way round the page has it. */
    const intervalOf = (one, other) => {
      const pair = data.pairs.find(({ first: x, second: y }) => (x === one && y === other) || (x === other && y === one));
      if (!pair) return null;
      if (pair.first === one) return pair;
      const turned = { better: "worse", worse: "better" }[pair.outcome] ?? pair.outcome;
      return { low: -pair.high, high: -pair.low, outcome: turned };
    };
    const retrainedRow = (recipe, one, other) => {
      const [mine, theirs] = [data.networks[one], data.networks[other]];
      const found = intervalOf(one, other);
      const seeds = `${mine.seeds} and ${theirs.seeds} seeds, ${mine.images.toLocaleString("en-US")} test images`;
      const range = found && `${signed(quality, found.low).replace(" points", "")} to ${signed(quality, found.high)}`;
      const words = found ? `95 % interval ${range}; ${seeds}` : `${seeds}: no interval of one seed, or without a score for each image`;
      const word = {
        better: ["▲", "better", "two-better"], worse: ["▼", "worse", "two-worse"],
        same: ["=", "the same within the margin", ""], undecided: ["≈", "not told apart", ""],
      }[found?.outcome] ?? worth(quality, mine.mean - theirs.mean);
      const label = report.words(`${quality.label}, test, retrained${recipe === "default" ? "" : ` under \`${recipe}\``}`);
      return row(report.element("span", {}, ...label), quality, [mine.mean, theirs.mean], word, words, "retrained");
    };
    const retrainedRows = () => {
      const of = ({ id }) => new Map(data.networks.flatMap((network, place) => (network.id === id ? [[network.recipe, place]] : [])));
      const [mine, theirs] = [of(a), of(b)];
      return [...mine].filter(([recipe]) => theirs.has(recipe)).map(([recipe, place]) => retrainedRow(recipe, place, theirs.get(recipe)));
    };
    const noteOf = (retrained) => {
      const again = [a, b].map(({ id }) => data.networks.some((network) => network.id === id));
      if (retrained.length) return "An interval is of the difference that new seeds and new test images would show, for this pair alone: who looks at many pairs finds some that differ by chance. The verdict allows for that.";
      if (again[0] !== again[1]) return `Only ${again[0] ? "A" : "B"} was retrained, so that there is no interval of the difference.`;
      return data.networks.length ? "Neither of them was retrained: one seed each says little about a small difference." : "Nothing was retrained: one seed each says little about a small difference.";
    };

    // What is compared
    const showNames = () => {
      part("names").replaceChildren(...[["A", a], ["B", b]].flatMap(([letter, entry]) => {
        const state = entry.rank === null ? ` · ${entry.state}` : ` · rank ${entry.rank}${entry.knee ? ", knee" : ""}`;
        const outside = report.fits(entry) ? "" : " · outside the budgets";
        return [report.element("dt", {}, report.element("span", { class: "two-letter" }, letter)), report.element("dd", {}, report.pick(entry), ...report.words(entry.description), `${state}${outside}`)];
      }));
    };
    const show = () => {
      showNames();
      showPoints();
      const retrained = a === b ? [] : retrainedRows();
      part("measures").replaceChildren(...retrained, ...measures.map(measureRow));
      part("note").textContent = noteOf(retrained);
      part("a").value = a.id;
      part("b").value = b.id;
    };
    const selects = [report.candidateSelect(part("a"), () => a), report.candidateSelect(part("b"), () => b)];
    const choose = (one, other) => {
      [a, b] = [one, other];
      selects.forEach((select) => select.show());
      show();
    };
    const byReader = (one, other) => {
      choose(one, other);
      report.remember("two");
      report.say(`Compared: A ${a.id}, B ${b.id}. ${part("points-said").textContent}`);
    };

    part("a").addEventListener("change", () => byReader(report.byId.get(part("a").value), b));
    part("b").addEventListener("change", () => byReader(a, report.byId.get(part("b").value)));
    part("swap").addEventListener("click", () => byReader(b, a));
    part("controls").addEventListener("submit", (event) => event.preventDefault());
    document.addEventListener("click", ({ target }) => {
      const button = target.closest("button[data-compare]");
      if (!button) return;
      const chosen = report.byId.get(button.dataset.compare || report.selected);
      byReader(chosen, chosen === b ? a : b);
      document.getElementById("two").scrollIntoView();
      part("a").focus({ preventScroll: true });
    });
    report.onBudget(showNames);
    report.keep({
      read: (pairs) => {
        const own = pairs.find(({ name, operator }) => name === "two" && operator === "=");
        const found = own?.value.split(",").map((id) => report.byId.get(id)) ?? [];
        const good = found.length === 2 && found.every(Boolean);
        choose(...(good ? found : [report.byId.get(data.first), report.byId.get(data.second)]));
        return good ? pairs.filter((pair) => pair !== own) : pairs;
      },
      write: () => (a.id === data.first && b.id === data.second ? [] : [["two", `${a.id},${b.id}`]]),
    });
    show();
  }
}
