/** A candidate: its row of the columns that the page holds; all texts are made when they are asked for. */
class Candidate {
  #data;
  #texts = {};

  constructor(data, place) {
    this.#data = data;
    const { values, hyperparameters, ...columns } = data.columns;
    const own = (table) => Object.fromEntries(Object.entries(table).map(([name, column]) => [name, column[place]]));
    for (const [name, column] of Object.entries(columns)) this[name] = column[place];
    [this.values, this.hyperparameters] = [own(values), own(hyperparameters)];
  }
  /** Every measure as a person reads it. */
  get shown() {
    return (this.#texts.shown ??= this.#written(formats.shown));
  }
  /** Every measure in full. */
  get exact() {
    return (this.#texts.exact ??= this.#written(formats.exact));
  }
  /** What was searched beside its operators, in words; empty where nothing was. */
  get trained() {
    return this.#data.hyperparameters.map(({ name, label }) => `${label} ${formats.setting(this.hyperparameters[name])}`).join(", ");
  }
  /** The command that exports it; empty where it has no weights. */
  get command() {
    return this.state === "complete" ? this.#data.command.join(this.id) : "";
  }
  /** What its mark says when pointed at, escaped for Plotly. */
  get hover() {
    return (this.#texts.hover ??= this.#pointedAt());
  }

  #pointedAt() {
    const { measures } = this.#data;
    const known = measures.filter(({ name }) => this.values[name] !== null);
    const lines = [
      ...Candidate.#wrapped(this.description.replaceAll("`", "")),
      ...(this.trained ? Candidate.#wrapped(this.trained) : []),
      ...Candidate.#wrapped(known.map(({ name, label }) => `${this.shown[name]} ${label}`).join(", ")),
    ];
    if (this.state !== "complete") {
      const reason = this.reason ? `: ${this.reason}` : "";
      const text = `${this.state} after ${this.epochs} epochs${reason}`;
      lines.push(...Candidate.#wrapped(text.length > 180 ? `${text.slice(0, 179)}…` : text));
    }
    const escape = (text) => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
    return [`<b>candidate ${this.number}</b>  ${escape(this.id)}`, ...lines.map(escape)].join("<br>");
  }
  #written(format) {
    return Object.fromEntries(this.#data.measures.map((measure) => [measure.name, format(measure, this.values[measure.name])]));
  }
  static #wrapped(text, width = 64) {
    const lines = [""];
    for (const word of text.split(/\s+/).flatMap((part) => part.match(new RegExp(`.{1,${width}}`, "gu")) ?? [])) {
      const line = lines.at(-1);
      if (line === "") lines[lines.length - 1] = word;
      else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
      else lines.push(word);
    }
    return lines;
  }
}
