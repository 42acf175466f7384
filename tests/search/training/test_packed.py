"""States as bytes: what comes back is what was given, whatever its tensors look like in memory."""

from __future__ import annotations

from collections import OrderedDict
from io import BytesIO
from typing import Any

import pytest
import torch
from torch import nn

from search.training.packed import packed, unpacked
from search.training.sealed import DamagedStateError, sealed


def there_and_back(value: Any) -> Any:
    """Return a value as a state gives it back."""
    return unpacked(packed({"value": value}))["value"]


TENSORS = {
    "scalar": torch.tensor(3.5),
    "empty": torch.empty(0, 3),
    "integers": torch.arange(6).view(2, 3),
    "booleans": torch.tensor([True, False]),
    "half": torch.randn(3, 4).bfloat16(),
    "double": torch.randn(2, dtype=torch.float64),
    "complex": torch.randn(2, dtype=torch.complex64),
    "channels last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    "transposed": torch.randn(3, 4).t(),
    "expanded": torch.randn(3, 1).expand(3, 4),
    "a part": torch.randn(10)[2:7:2],
    "parameter": nn.Parameter(torch.randn(2, 2)),
    "not finite": torch.tensor([torch.nan, torch.inf, -0.0]),
    "sparse": torch.eye(3).to_sparse(),
}


@pytest.mark.parametrize("name", TENSORS)
def test_a_tensor_comes_back_to_the_bit(name: str) -> None:
    tensor = TENSORS[name].detach()
    found = there_and_back(TENSORS[name])
    assert (found.dtype, found.shape, found.layout) == (tensor.dtype, tensor.shape, tensor.layout)
    torch.testing.assert_close(found, tensor, rtol=0, atol=0, equal_nan=True)


def test_tensors_of_several_kinds_come_back_to_their_names() -> None:
    found = there_and_back(TENSORS)
    assert list(found) == list(TENSORS)
    for name, tensor in TENSORS.items():
        torch.testing.assert_close(found[name], tensor.detach(), rtol=0, atol=0, equal_nan=True)


def test_mappings_lists_tuples_and_numbers_come_back_as_they_are() -> None:
    nested = {
        0: {"momentum_buffer": None, "betas": (0.9, 0.999), "params": [0, 1, (2, "x")]},
        "0": [True, 1, 1.0, "1", None, float("inf"), 1e-300],
        (1, "key"): {},
        "mapping": {"tuple": 1},
        2.5: OrderedDict(b=1, a=2),
    }
    found = there_and_back(nested)
    assert repr(found) == repr(nested)
    assert [type(key) for key in found] == [type(key) for key in nested]


def test_a_network_gets_back_the_versions_of_its_modules() -> None:
    state = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).state_dict()
    found = there_and_back(state)
    assert type(found) is OrderedDict
    versions = vars(found)["_metadata"]
    assert versions == vars(state)["_metadata"]
    assert versions["1"] == {"version": 2}


def test_a_tensor_of_two_names_is_kept_once() -> None:
    shared = torch.randn(50_000)
    once, twice = packed({"a": shared}), packed({"a": shared, "b": shared, "c": shared.view(50, 1000)})
    assert len(twice) < 1.01 * (len(once) + shared.nbytes)
    found = unpacked(twice)
    assert found["a"].data_ptr() == found["b"].data_ptr()
    assert torch.equal(found["c"], shared.view(50, 1000))


def test_what_an_earlier_version_wrote_is_read() -> None:
    buffer = BytesIO()
    torch.save({"number": 7, "best": {"weight": torch.ones(3)}}, buffer)
    found = unpacked(sealed(buffer.getvalue()))
    assert found["number"] == 7
    assert torch.equal(found["best"]["weight"], torch.ones(3))


def test_what_was_changed_is_refused() -> None:
    written = bytearray(packed({"weight": torch.ones(100)}))
    written[len(written) // 2] ^= 1
    with pytest.raises(DamagedStateError, match="SHA-256"):
        unpacked(bytes(written))
