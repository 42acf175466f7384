"""User-defined qualities and costs that are no number: which of the two it was stands in the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from fusion_ops.errors import CandidateError
from reports.retrained.failures import has_diverged
from search import data
from search.training.files import FolderFiles
from search.training.job import Job
from search.training.loop import DeviceData
from search.training.measuring.costs import Costs
from search.training.metrics import UserMetrics
from search.training.settings import DataConfig
from search.training.user_objectives import declare_objective, user_functions

CODE = """
def score(outputs, labels): return float("nan")
def price(model, images): return float("nan")
"""


def test_a_quality_that_is_no_number_is_a_divergence_and_a_cost_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unmeasurable.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)
    names = ("unmeasurable:score", "unmeasurable:price")
    for name in names:
        declare_objective(name)
    costs = Costs(
        Job(FolderFiles(tmp_path), objectives=names), DeviceData(data.load(DataConfig()), torch.device("cpu"))
    )
    with pytest.raises(CandidateError, match="`unmeasurable:price` must return a finite cost; got nan") as of_cost:
        costs.measure(nn.Identity())
    qualities = UserMetrics(user_functions(names, quality=True), lambda returned: returned)
    qualities.add(torch.zeros(2, 10))
    with pytest.raises(CandidateError, match="`unmeasurable:score` must return a finite number; got nan") as of_quality:
        qualities.measures(torch.zeros(2))
    assert (has_diverged(str(of_quality.value)), has_diverged(str(of_cost.value))) == (True, False)
