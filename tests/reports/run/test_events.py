"""What happened last in a log, which is read from its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reports.run import events
from reports.run.events import last_event


def write(path: Path, *lines: str, end: str = "\n") -> Path:
    path.write_text("\n".join(lines) + end, encoding="utf-8")
    return path


def line(kind: str, **more: object) -> str:
    return json.dumps({"event": kind} | more, ensure_ascii=False)


@pytest.mark.parametrize("block", [1, 7, 64, 1 << 20])
def test_the_last_of_a_kind_is_found_however_a_log_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(events, "_BLOCK", block)
    epochs = [line("finished", number=number, reason="größer – “ended”") for number in range(20)]
    log = write(tmp_path / "log.jsonl", line("launched", n=1), *epochs[:9], line("ended", n=2), *epochs[9:])
    assert last_event(log) == {"event": "finished", "number": 19, "reason": "größer – “ended”"}
    assert last_event(log, "launched", "ended") == {"event": "ended", "n": 2}
    assert last_event(log, "launched") == {"event": "launched", "n": 1}
    assert last_event(log, "retraining") is None


@pytest.mark.parametrize("end", ["", '\n{"event": "en', '\n{"event": "ended", "n'])
def test_a_torn_last_line_is_no_event(tmp_path: Path, end: str) -> None:
    log = write(tmp_path / "log.jsonl", line("launched"), line("ended", n=1), end=end)
    assert last_event(log, "ended") == {"event": "ended", "n": 1}
    assert last_event(log) == (None if end else {"event": "ended", "n": 1})


@pytest.mark.parametrize("text", [b"", b"\n", b"[1]\n", b"\xff\xfe\n"])
def test_what_holds_no_event_has_no_last_one(tmp_path: Path, text: bytes) -> None:
    log = tmp_path / "log.jsonl"
    log.write_bytes(text)
    assert last_event(log) is None
    assert last_event(log, "ended") is None
    assert last_event(tmp_path / "none.jsonl") is None
