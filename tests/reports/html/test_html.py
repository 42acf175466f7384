"""The report as a file: whole, self-contained, escaped, and readable without scripts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import reports
from fusion_ops.errors import RunError, SpecError, UnknownNameError
from reports.html.escaping import script_json, with_breaks, with_code
from reports.html.plotly_bundle import plotly
from reports.panels.panel import PANELS, ordered
from reports.run.run import load_run

EVIL = "</script><img src=x onerror=alert(1)>\u2028'\"&amp;<!--"


class Page(HTMLParser):
    """Collects tags with their attributes, the scripts, and the text that is outside of them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside = tag
            if tag == "script":
                self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)
        elif not self._inside:
            self.text += data

    def by_id(self, name: str) -> str:
        return next(text for attributes, text in self.scripts if attributes.get("id") == name)


def page_of(run: Path, **settings: Any) -> Page:
    return Page(reports.write_html(run, **settings).read_text(encoding="utf-8"))


def test_the_report_is_written_into_the_run_directory(make_run: Callable[..., Path]) -> None:
    run = make_run()
    path = reports.write_html(run)
    assert path == run / "report.html"
    assert sorted(file.name for file in run.iterdir()) == ["candidates.csv", "config.yaml", "report.html"]


def test_the_panels_come_in_their_order(make_run: Callable[..., Path]) -> None:
    sections = [attributes["id"] for tag, attributes in page_of(make_run()).tags if attributes.get("class") == "panel"]
    # No hyperparameters were searched, and no candidate begins with another one's weights.
    assert sections == [name for name, _ in ordered() if name not in ("recipes", "trust")]
    assert set(sections) == set(PANELS) - {"recipes", "trust"}
    first = ("verdict", "health", "tradeoff", "budget", "ranking", "architecture", "two")
    then = ("works", "importance", "learning", "progress", "provenance")
    assert [name for name in sections if name in (*first, *then)] == [*first, *then]


def test_the_page_needs_nothing_else(make_run: Callable[..., Path]) -> None:
    page = page_of(make_run())
    for tag, attributes in page.tags:
        assert "src" not in attributes, tag
        assert tag not in ("link", "iframe", "object", "embed", "base"), tag
        assert (attributes.get("href") or "#").startswith("#")
        assert not [name for name in attributes if name.startswith("on")]
    assert page.by_id("plotly") == plotly()


def test_the_policy_allows_these_very_scripts_only(make_run: Callable[..., Path]) -> None:
    page = page_of(make_run())
    policy = next(a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    scripts = re.search(r"script-src ([^;]*);", policy)
    assert scripts is not None
    data = [attributes for attributes, _ in page.scripts if attributes.get("type") == "application/json"]
    run = [text for attributes, text in page.scripts if attributes not in data]
    assert plotly() in run
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in run]
    assert sorted(scripts[1].split()) == sorted(f"'sha256-{digest}'" for digest in hashes)


def test_without_scripts_verdict_ranking_and_architecture_can_be_read(make_run: Callable[..., Path]) -> None:
    run = make_run()
    text = page_of(run).text
    ranked = reports.rank(load_run(run).table, ("accuracy", "params"))
    assert "<" not in text
    assert "one seed each" in text
    for row in ranked.to_dict("records"):
        assert row["id"] in text
        assert f"{100 * row['accuracy']:.2f} %" in text
    assert "fusion-nas export" in text
    assert "stage3.block2" in text
    assert "non-finite loss at epoch 3" in text
    assert "2 × multiply-adds, one input" in text


def test_strings_of_users_are_escaped_everywhere(
    make_run: Callable[..., Path], make_records: Callable[..., list[dict[str, Any]]]
) -> None:
    records = make_records()
    for row in records:
        row.update(reason=EVIL, worker=EVIL)
    settings = {"dataset": {"name": EVIL, "validation": 288, "train": 1, "test": 1, "input_shape": [EVIL]}}
    run = make_run(
        records,
        resolved=settings
        | {"started": EVIL, "environment": {"cpu": EVIL, "python": EVIL, "torch": EVIL, "fusion_nas": EVIL}},
        name="<b>&'x",
    )
    text = reports.write_html(run).read_text(encoding="utf-8")
    page = Page(text)
    assert "img" not in {tag for tag, _ in page.tags}
    assert "<img" not in text
    blocks = [body for attributes, body in page.scripts if attributes.get("type") == "application/json"]
    for body in blocks:
        assert not set(body) & set("<>&\u2028\u2029")
    assert json.loads(page.by_id("report-data"))["run"] == "<b>&'x"
    assert set(json.loads(page.by_id("report-data"))["columns"]["reason"]) == {EVIL}


def test_script_json_escapes_what_ends_a_script() -> None:
    value = {"</script>": ["<!--", "&", "\u2028\u2029", "é"]}
    text = str(script_json(value))
    assert json.loads(text) == value
    assert text.isascii()
    assert not set(text) & set("<>&")
    with pytest.raises(ValueError, match="not JSON compliant"):
        script_json(float("nan"))


def test_code_in_backticks_is_shown_as_code_and_all_else_escaped() -> None:
    text = with_code("`iaff <b>` & 24.1 k parameters, 12 % fewer, 3 × `sk`, +0.62 points, in 3 models")
    assert str(text) == (
        "<code>iaff &lt;b&gt;</code> &amp; 24.1\u00a0k parameters, 12\u00a0% fewer, 3\u00a0× <code>sk</code>, "
        "+0.62\u00a0points, in 3 models"
    )


def test_a_path_may_break_after_its_folders() -> None:
    assert with_breaks("code in /u/<b>/c") == "code in /<wbr>u/<wbr>&lt;b&gt;/<wbr>c"


def test_reports_of_a_folder_share_plotly(make_run: Callable[..., Path], tmp_path: Path) -> None:
    run = make_run()
    first = reports.write_html(run, tmp_path / "out" / "a.html", assets="directory")
    assets = list((tmp_path / "out" / "report-assets").iterdir())
    stamp = assets[0].stat().st_mtime_ns
    page_of(run, path=tmp_path / "out" / "b.html", assets="directory")
    assert [file.stat().st_mtime_ns for file in (tmp_path / "out" / "report-assets").iterdir()] == [stamp]
    assert assets[0].read_text(encoding="utf-8") == plotly()
    page = Page(first.read_text(encoding="utf-8"))
    asleep = [(a["data-source"], text) for a, text in page.scripts if a.get("id") == "plotly"]
    assert asleep == [(f"report-assets/{assets[0].name}", "")]
    assert first.stat().st_size < 300_000


@pytest.mark.parametrize("states", [[], ["failed"], ["infeasible"], ["running"], ["complete"], ["pruned", "complete"]])
def test_a_run_at_any_stage_has_a_report(
    states: list[str], make_run: Callable[..., Path], make_records: Callable[..., list[dict[str, Any]]]
) -> None:
    records = make_records(len(states))
    for row, state in zip(records, states, strict=True):
        row["state"] = state
        if state != "complete":
            row.update(curve=row["curve"][: 2 * (state == "pruned")], accuracy=None, loss=None, seconds=None)
    text = page_of(make_run(records)).text
    why = "no candidate is complete" if states else "nothing has been trained yet"
    assert (f"No verdict: {why}." in text) == ("complete" not in states)
    assert ("There is no candidate yet." in text) == (not states)


@pytest.mark.parametrize("objectives", [("accuracy",), ("loss", "flops"), ("accuracy", "params", "flops")])
def test_any_objectives_have_a_report(objectives: tuple[str, ...], make_run: Callable[..., Path]) -> None:
    page = page_of(make_run(objectives=objectives))
    assert json.loads(page.by_id("report-data"))["objectives"] == list(objectives)


def test_objectives_that_nobody_measured_still_make_a_report(make_run: Callable[..., Path]) -> None:
    columns = json.loads(page_of(make_run(objectives=("accuracy", "latency"))).by_id("report-data"))["columns"]
    assert set(columns["values"]["latency"]) == {None}
    assert not any(columns["knee"])


def test_the_page_holds_the_front_and_the_first_rows_only(
    make_run: Callable[..., Path], make_records: Callable[..., list[dict[str, Any]]]
) -> None:
    run = make_run(make_records(600))
    path = reports.write_html(run)
    ranked = reports.rank(load_run(run).table, ("accuracy", "params"))
    page = Page(path.read_text(encoding="utf-8"))
    shown = max(25, int((ranked["rank"] == 1).sum()))
    rows = [attributes["data-id"] for tag, attributes in page.tags if tag == "tr" and "data-id" in attributes]
    assert rows[:shown] == list(ranked["id"][:shown])
    assert len(rows) == shown + 25 + 25
    assert f"These are {shown} of {len(ranked)}. All are in candidates.csv in the run directory." in page.text
    assert len(page.tags) < 4000
    assert path.stat().st_size < 2_000_000


def test_an_unknown_way_of_keeping_assets_is_refused(make_run: Callable[..., Path]) -> None:
    with pytest.raises(SpecError, match="`assets` must be one of inline, directory; got 'cdn'"):
        reports.write_html(make_run(), assets="cdn")


def test_a_file_that_cannot_be_written_is_named(make_run: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(RunError, match=r"cannot write .*taken"):
        reports.write_html(make_run(), tmp_path / "taken")
    assert list((tmp_path / "taken").iterdir()) == []


def test_an_operator_that_is_not_registered_here_is_named(
    make_run: Callable[..., Path], make_records: Callable[..., list[dict[str, Any]]]
) -> None:
    records = make_records(5)
    records[0]["architecture"] = records[0]["architecture"].replace('"op":"sum"', '"op":"mine"')
    with pytest.raises(UnknownNameError, match="unknown fusion operator `mine`"):
        reports.write_html(make_run(records))


def test_names_of_the_package_are_imported_on_demand() -> None:
    assert {"export", "rank", "verdict", "write_html"} <= set(reports.__all__)
    for name in reports.__all__:
        assert callable(getattr(reports, name)), name
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = reports.nothing
