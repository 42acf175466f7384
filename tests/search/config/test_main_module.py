"""What a script or a notebook defines itself: how a config names it, what travels to the workers, what is refused."""

import pickle
import sys
import threading
from dataclasses import fields

import numpy as np
import pytest
import torch
from torch.nn import functional

from fusion_ops.errors import ConfigError, SpecError
from fusion_ops.operator import OPERATORS
from fusion_ops.resamplers.resampler import RESAMPLERS
from search.cluster.by_value import by_value
from search.cluster.submission import submit
from search.config import SearchConfig
from search.config.main_module import main_references
from search.run.planning import plan
from search.training.augmentation import AUGMENTATIONS
from search.training.data.normalisation import channel_statistics
from search.training.job import Job
from spaces.importing import imported, is_reference, receive

LOCK = threading.Lock()
MANY = np.zeros(2_000_000)
FACTOR = 3.0


def of_main(monkeypatch, function):
    """Have this program's main module define a function, as a script would have."""
    monkeypatch.setattr(function, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], function.__name__, function, raising=False)
    return function


def loss(outputs, labels):
    return FACTOR * functional.cross_entropy(outputs.float(), labels)


def locked(outputs, labels):
    with LOCK:
        return functional.cross_entropy(outputs.float(), labels)


def heavy(outputs, labels):
    return functional.cross_entropy(outputs.float(), labels) + MANY.sum()


def quality(outputs, labels):
    return float((outputs.argmax(1) == labels).float().mean())


def network(**settings):
    return torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3))


def first(output):
    return output


@pytest.fixture
def config():
    def make(**values):
        space = {"name": "resnet", "depth": 8, "width": 4, "ops": ["sum"]}
        return SearchConfig.from_dict({"space": space, **values})

    return make


def test_a_function_stands_for_its_name(monkeypatch, config):
    given = {"train": {"loss": channel_statistics}, "objectives": ("accuracy", of_main(monkeypatch, quality))}
    made = config(**given)
    assert made.train.loss == "search.training.data.normalisation:channel_statistics"
    assert made.objectives == ("accuracy", "__main__:quality")
    assert given["train"]["loss"] is channel_statistics
    assert SearchConfig.from_dict(made.to_dict()) == made


def test_a_function_is_a_key_of_the_constraints_as_it_is_an_objective(monkeypatch, config):
    own = of_main(monkeypatch, quality)
    made = config(objectives=[own, "params"], constraints={own: 0.5, "params": 9000})
    assert made.constraints == {"__main__:quality": 0.5, "params": 9000}
    with pytest.raises(ConfigError, match=r"`constraints` names `__main__:quality` twice"):
        config(objectives=[own, "params"], constraints={own: 0.5, "__main__:quality": 0.6})
    with pytest.raises(ConfigError, match=r"^keys of a config are text; got a function\.$"):
        SearchConfig.from_dict({own: {}})


def test_a_file_takes_functions_as_overrides(monkeypatch, tmp_path):
    (tmp_path / "config.yaml").write_text("train: {epochs: 2}\n")
    loaded = SearchConfig.load(tmp_path / "config.yaml", {"train.loss": of_main(monkeypatch, loss)})
    assert loaded.train.loss == "__main__:loss"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (
            {"train": {"loss": lambda o, y: o.mean()}},
            "`train.loss` names code by module and name, and a lambda has none",
        ),
        ({"objectives": ["accuracy", torch.nn.CrossEntropyLoss()]}, "`objectives.1` .* a CrossEntropyLoss has none"),
        ({"data": {"name": "m:f", "transform": len}}, "`data.transform` takes text, numbers or lists; got a builtin_"),
        ({"search": {"sampler": first}}, "`search.sampler` takes text, numbers or lists; got a function"),
        ({"data": {first: 1}}, r"^keys of `data` are text; got a function\.$"),
        ({"constraints": {lambda o, y: o.mean(): 1}}, "^`constraints` names code by module and name, and a lambda has"),
        ({"constraints": {len: 1}}, r"^unknown key `builtins:len` in `constraints`; known: params"),
    ],
)
def test_what_has_no_name_or_no_place_is_refused(config, values, says):
    with pytest.raises(ConfigError, match=says) as caught:
        config(**values)
    assert "\n" not in str(caught.value)


def test_a_function_that_was_defined_anew_since_is_refused(monkeypatch, config):
    before = of_main(monkeypatch, loss)
    monkeypatch.setattr(sys.modules["__main__"], "loss", quality)
    with pytest.raises(ConfigError, match="`__main__:loss` is another one by now; give that"):
        config(train={"loss": before})


def test_references_are_found_wherever_they_stand():
    values = {
        "train": {"loss": "__main__:loss", "output": None},
        "objectives": ["__main__:quality", "latency@__main__:Chip", "my_module:f", "accuracy"],
        "constraints": {"__main__:quality": 0.5},
        "data": {"name": "__main__:Scans.load", "note": "not__main__:x"},
    }
    found = main_references(values)
    assert found == ("__main__:loss", "__main__:quality", "__main__:Chip", "__main__:Scans.load")
    assert all(map(is_reference, found))


def test_what_is_sent_is_the_function_with_what_it_uses(monkeypatch):
    of_main(monkeypatch, loss)
    sent = by_value(["__main__:loss"])
    monkeypatch.delattr(sys.modules["__main__"], "loss")
    with pytest.raises(SpecError, match=r"this program has no `loss`.* write it into a module, such as `my_code\.py`"):
        imported("__main__:loss")
    monkeypatch.setattr("spaces.importing._RECEIVED", {})
    receive({name: pickle.loads(code) for name, code in sent.items()})  # noqa: S301 - our own
    outputs, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    assert imported("__main__:loss")(outputs, labels) == 3 * functional.cross_entropy(outputs, labels)
    # A worker compares jobs to know whether its data are still those.
    assert Job(None, sent=sent) == Job(None, sent=dict(sent))


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (
            locked,
            r"`__main__:locked` cannot be sent to the workers \(TypeError: cannot pickle .*; write it into a file",
        ),
        (heavy, r"at most 10 MB; got 16 MB\. Hand images over by `launch\(config, data=\.\.\.\)`, or write it into"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_anything_starts(monkeypatch, config, function, says):
    made = config(train={"loss": of_main(monkeypatch, function)})
    with pytest.raises(ConfigError, match=says) as caught:
        plan(made)
    assert "\n" not in str(caught.value)


def test_a_network_of_a_script_is_refused_with_what_to_do(monkeypatch):
    of_main(monkeypatch, network)
    made = SearchConfig.from_dict({"space": {"name": "traced", "model": network}})
    with pytest.raises(ConfigError, match=r"`__main__:network`: .*; write it into a file .*name it `my_code:network`"):
        plan(made)


@pytest.mark.parametrize(
    ("registry", "values", "says"),
    [
        (OPERATORS, {"space": {"name": "resnet", "depth": 8, "ops": ["sum", "mine"]}}, "fusion operator `mine` is"),
        (RESAMPLERS, {"space": {"name": "fpn", "resamplers": ["mine"]}}, "resampler `mine` is registered by this"),
        (AUGMENTATIONS, {"train": {"augment": ["mine"]}}, "augmentation `mine` is registered by this program itself"),
    ],
)
def test_what_a_script_registers_is_refused_where_it_is_used(monkeypatch, registry, values, says):
    entry = registry[registry.names()[0]]
    mine = type("Mine", (entry,), {"__module__": "__main__"}) if isinstance(entry, type) else of_entry(entry)
    monkeypatch.setitem(registry._entries, "mine", mine)
    assert plan(SearchConfig.from_dict({}))
    with pytest.raises(ConfigError, match=says) as caught:
        plan(SearchConfig.from_dict(values))
    assert "`imports: [my_code]`" in str(caught.value)


def of_entry(entry):
    values = {field.name: getattr(entry, field.name) for field in fields(entry)}
    name, function = next((name, value) for name, value in values.items() if callable(value))

    def own(*arguments):
        return function(*arguments)

    own.__module__ = "__main__"
    return type(entry)(**values | {name: own})


def test_the_main_module_is_no_module_to_import(config):
    with pytest.raises(ConfigError, match="`imports` names modules, and each worker has another `__main__`"):
        plan(config(imports=["__main__"]))


def test_a_job_that_is_submitted_has_nothing_of_this_program(monkeypatch, config):
    made = config(train={"loss": of_main(monkeypatch, loss)})
    with pytest.raises(ConfigError, match=r"a job that is submitted has no `__main__:loss`.* `my_code:loss`"):
        submit(made, "/runs/a", "http://head:8265")
