/** What the page's address keeps, `#PANEL:name=value&…`, so that a link opens the page as it was left.
 *
 * A panel keeps its state by `report.keep({ read, write })`: `write()` returns pairs of name and value; `read(pairs)`
 * gets `{ name, operator, value }` of whatever an address holds, well written or not, sets its state by them, back to
 * the first state where none is its own, and returns those that it cannot take. After a change by the reader it calls
 * `report.remember(PANEL)`. A link to a panel, `#ranking`, leaves what is set as it is.
 */
{
  const keepers = [];
  const OWN = "fusion-nas";
  const QUIET = 250;
  let waiting;

  const decoded = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };
  const encoded = (text) => encodeURIComponent(text).replaceAll("%40", "@").replaceAll("%2C", ",");

  /** Return the panel that an address names, and its pairs; `null` where it has no state at all. */
  const parsed = (hash) => {
    const colon = hash.indexOf(":");
    if (colon < 0) return { panel: decoded(hash.slice(1)), pairs: null };
    const tokens = hash.slice(colon + 1).replace(/%3C(?==)/gi, "<").replace(/%3E(?==)/gi, ">").split("&");
    const pairs = tokens.filter(Boolean).map((token) => {
      const [, name, operator = "", value = ""] = /^(.*?)(?:(<=|>=|=)(.*))?$/s.exec(token);
      return { name: decoded(name), operator, value: decoded(value) };
    });
    return { panel: decoded(hash.slice(1, colon)), pairs };
  };
  const written = (panel) => {
    const pairs = keepers.flatMap(({ write }) => write());
    const state = pairs.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join("&");
    return `#${encodeURIComponent(panel)}${state && `:${state}`}`;
  };
  /** Put an address into the browser's history, where it has one: a page inside another has not. */
  const put = (how, hash) => {
    try {
      history[how](OWN, "", hash || location.href);
    } catch {
      // The state is in the page all the same.
    }
  };
  const read = (pairs) => {
    const rest = keepers.reduce((left, keeper) => keeper.read(left), pairs);
    const texts = rest.slice(0, 5).map(({ name, operator, value }) => `${name}${operator}${value}`.slice(0, 60));
    const note = document.getElementById("left-out");
    if (!note) return;
    note.hidden = !rest.length;
    note.textContent = `Not taken from the address: ${texts.join(", ")}. This report has no such measure or candidates, or the value is no number.`;
  };

  const arrive = () => {
    clearTimeout(waiting);
    const { panel, pairs } = parsed(location.hash);
    const known = history.state === OWN;
    if (known || pairs !== null) read(pairs ?? []);
    if (known) return;
    put("replaceState", written(panel));
    if (pairs !== null) document.getElementById(panel)?.scrollIntoView();
  };

  report.keep = (keeper) => keepers.push(keeper);
  /** Put the state into the address once the reader has stopped changing it; one step back undoes it. */
  report.remember = (panel) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const hash = written(panel);
      if (hash !== location.hash) put("pushState", hash);
    }, QUIET);
  };
  /** Return the address of the page as it is now. */
  report.address = (panel) => location.href.replace(/#.*$/s, "") + written(panel);
  /** Take over what the address says. */
  report.openAddress = () => {
    const { panel, pairs } = parsed(location.hash);
    if (pairs !== null) {
      read(pairs);
      document.getElementById(panel)?.scrollIntoView({ behavior: "instant" });
    }
    put("replaceState", location.hash && written(panel));
    addEventListener("hashchange", arrive);
  };
}
