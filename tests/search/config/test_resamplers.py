"""`space.resamplers` in a config: refused with its place, and what the message advises works."""

from __future__ import annotations

from pathlib import Path

import pytest

from fusion_ops.errors import ConfigError
from search.config import SearchConfig
from search.training import data

FPN = """space: {name: fpn, width: 4, levels: 2, resamplers: %s}
data: {name: cluttered_digits, task: segmentation, images: 60}
objectives: [miou]
"""


def loaded(tmp_path: Path, text: str) -> SearchConfig:
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    return SearchConfig.load(tmp_path / "config.yaml")


def test_it_reaches_the_space(tmp_path: Path) -> None:
    config = loaded(tmp_path, FPN % "[nearest, carafe]")
    assert config.to_dict()["space"]["resamplers"] == ["nearest", "carafe"]
    space = config.create_space(data.load(config.data))
    assert space.resamplers == ("nearest", "carafe")
    assert SearchConfig.from_dict(config.to_dict()).to_dict() == config.to_dict()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (FPN % "[cafare]", "config.yaml:1: unknown resampler `cafare`; did you mean `carafe`"),
        (FPN % "[]", "config.yaml:1: `space.resamplers` must name at least one"),
        (FPN % "carafe", "config.yaml:1: .*resamplers"),
        (
            "space: {name: resnet, resamplers: [bilinear, nearest]}",
            "`space.resamplers` are for points .*Leave `resamplers` out",
        ),
    ],
    ids=str,
)
def test_refused_with_its_place(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        loaded(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_advice_that_is_followed_works(tmp_path: Path) -> None:
    assert loaded(tmp_path, "space: {name: resnet}").space.name == "resnet"
    assert loaded(tmp_path, FPN % "[carafe]").space.settings["resamplers"] == ("carafe",)
