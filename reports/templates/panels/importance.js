{
  const views = [...document.querySelectorAll("#importance .importance-view")];
  const select = document.getElementById("importance-quality");
  const show = () => views.forEach((view, at) => (view.hidden = select ? view.dataset.quality !== select.value : at > 0));
  select?.addEventListener("change", show);
  show();
}
