/** How the page is read: where one is in it, by keyboard, on paper. */
{
  // The panel that is being read is marked in the list of panels, and can be seen there.
  const contents = document.getElementById("contents");
  const list = contents.firstElementChild;
  const links = new Map([...list.querySelectorAll("a")].map((link) => [link.hash.slice(1), link]));
  const edges = () => {
    contents.classList.toggle("more-left", list.scrollLeft > 1);
    contents.classList.toggle("more-right", list.scrollLeft + list.clientWidth < list.scrollWidth - 1);
  };
  const mark = (name) => {
    for (const link of links.values()) link.removeAttribute("aria-current");
    const link = links.get(name);
    link.setAttribute("aria-current", "true");
    list.scrollLeft = link.offsetLeft - list.offsetLeft - (list.clientWidth - link.offsetWidth) / 2;
  };
  const inside = new Set();
  const reading = new IntersectionObserver((seen) => {
    for (const { target, isIntersecting } of seen) inside[isIntersecting ? "add" : "delete"](target.id);
    const first = [...links.keys()].find((name) => inside.has(name));
    if (first) mark(first);
  }, { rootMargin: "-15% 0px -75% 0px" });
  for (const name of links.keys()) reading.observe(document.getElementById(name));
  list.addEventListener("scroll", edges, { passive: true });
  new ResizeObserver(edges).observe(list);

  // What scrolls sideways can be reached and scrolled by keyboard; what does not is no stop on the way.
  const sideways = new ResizeObserver((seen) => {
    for (const { target } of seen) {
      const box = target.closest(".scroll");
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  });
  for (const box of document.querySelectorAll(".scroll")) {
    sideways.observe(box);
    if (box.firstElementChild) sideways.observe(box.firstElementChild);
  }

  // On paper all is open, and every chart is drawn: in light colours, as wide as the sheet.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const details of opened) details.open = true;
    report.printing = true;
    for (const chart of report.charts) chart.draw();
  });
  addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
    report.printing = false;
    // The boxes of charts have the window's size again once this is over.
    setTimeout(() => {
      for (const chart of report.charts) {
        chart.render();
        if (chart.element.clientWidth && chart.element.matches(".js-plotly-plot")) Plotly.Plots.resize(chart.element);
      }
    });
  });
}
