"""A run that has ended: what its config, log and report say of its data, and what its candidates were trained on."""

from __future__ import annotations

import html
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from safetensors.numpy import load_file

from tests.runs import check_sound, events
from tests.search.run.brought_data import DARK, LIGHT

__all__ = ["Launched"]


@dataclass(frozen=True)
class Launched:
    """A run that has ended, and what it has left."""

    folder: Path
    done: subprocess.CompletedProcess

    @property
    def dataset(self) -> dict[str, Any]:
        """What `config.yaml` notes of the data."""
        assert self.done.returncode == 0, self.done.stderr
        return yaml.safe_load((self.folder / "config.yaml").read_text())["resolved"]["dataset"]

    @property
    def report(self) -> str:
        return html.unescape((self.folder / "report.html").read_text())

    def check(self, classes: list[str], **images: int) -> None:
        """Both candidates are measured, on these classes and so many images of each part, which all places say."""
        assert self.dataset["classes"] == classes
        table = check_sound(self.folder, 2)
        assert list(table["state"]) == ["complete", "complete"]
        assert np.isfinite(table[["miou" if "miou" in table else "accuracy", "loss"]].to_numpy(float)).all()
        (launched,) = events(self.folder, "launched")
        for part, count in images.items():
            assert self.dataset[part] == count
            assert launched["data"][part] == count
        assert launched["data"]["images_a_class"] == self.dataset["images_a_class"]

    def check_told(self, *sentences: str) -> None:
        """Each is told once: on stderr, in the log, in the config and in the report."""
        (launched,) = events(self.folder, "launched")
        for said in sentences:
            assert self.done.stderr.count(said) == 1, self.done.stderr
            for notices in (launched["notices"], self.dataset["notices"]):
                assert [said in notice for notice in notices].count(True) == 1, notices
            assert said in self.report, said

    def samples(self) -> tuple[np.ndarray, np.ndarray]:
        """Return validation images, `(N, C, H, W)`, and their labels, as the candidates got them."""
        kept = load_file(self.folder / "samples.safetensors")
        return kept["images"], kept["labels"]

    def check_lightness(self, *levels: int, channel: int = 0) -> None:
        """The pictures of a class are as light as they were written, and no class has those of another."""
        images, labels = self.samples()
        for image, label in zip(images, labels, strict=True):
            assert abs(image[channel].mean() - levels[label]) < 12, (image[channel].mean(), label)

    def check_squares(self, dark: int = DARK, light: int = LIGHT) -> None:
        """Pictures are light where masks have the second class, and dark where they have the first."""
        images, masks = self.samples()
        assert abs(images[:, 0][masks == 0].mean() - dark) < 4
        assert abs(images[:, 0][masks == 1].mean() - light) < 4
