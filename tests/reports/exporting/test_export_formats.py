"""Formats of an export: which there are, and what is refused of a runtime that goes wrong."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

import reports
import spaces
from fusion_ops import FusionChoice
from fusion_ops.errors import RunError
from reports.exporting.formats import chosen
from reports.runtimes import RUNTIMES, runtime
from reports.shipped import run_pt2
from spaces import Architecture
from tests.reports.exportable import read, record, refused, trained, verified, write_checkpoint, write_run

pytestmark = pytest.mark.usefixtures("one_thread")
PlainRun = Callable[..., tuple[Path, Architecture]]

OWN = '''
"""Runtimes of a user's own, most of them wrong."""
from pathlib import Path

import torch

from reports.runtimes import Runtime
from reports.runtimes.program import exported_program
from reports.runtimes.torch_eager import TorchEager


def runner(name):
    return str(Path(__file__).with_name(name))


class Forgetful(TorchEager):
    """Loses the factor 2 of attention."""
    title = "Forgetful Runtime"

    def convert(self, network, inputs, path, *, batch=None):
        program = exported_program(network, inputs, batch=batch)
        graph = program.graph
        for node in list(graph.nodes):
            if node.target is torch.ops.aten.mul.Tensor and not isinstance(node.args[1], torch.fx.Node):
                node.replace_all_uses_with(node.args[0])
                graph.erase_node(node)
        program.graph_module.recompile()
        torch.export.save(program, path)


class Broken(TorchEager):
    file, runner = "broken.pt2", None

    def convert(self, network, inputs, path, *, batch=None):
        raise TypeError("sub() got an unexpected keyword argument 'alpha'\\n" + "and more " * 90)


class Cropping(TorchEager):
    file, runner = "crops.pt2", runner("run_crops.py")


class Single(TorchEager):
    """Takes one image at a time."""
    file, batches, runner = "single.pt2", False, runner("run_single.py")


class Elsewhere(TorchEager):
    """Runs on another kind of machine."""
    title, file, runner = "Elsewhere", "elsewhere.pt2", None


class OverWire(TorchEager):
    """Is run by code of its own, which stays here."""
    file, runner = "board.pt2", None

    def load(self, path, **settings):
        network = torch.export.load(path).module()
        return lambda images: [network(torch.from_numpy(images)).detach().numpy()]


class Mismatched(TorchEager):
    file = "mine.pt2"


class Unfinished(Runtime):
    title, file = "Unfinished", "unfinished"
'''


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of user-defined runtimes and their runners, not yet importable."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "own_runtimes.py").write_text(OWN)
    source = Path(run_pt2.__file__).read_text()
    (folder / "run_single.py").write_text(source.replace('"model.pt2"', '"single.pt2"'))
    cropped = source.replace('"model.pt2"', '"crops.pt2"').replace("tensors(network(", "tensors(cropped(network)(")
    cropped += "\n\ndef cropped(network):\n    return lambda images: network(images[:, :, :8, :8])\n"
    (folder / "run_crops.py").write_text(cropped)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "own_runtimes", raising=False)
    return folder


def importable(run: Path, folder: Path) -> None:
    """Let a run say that code lies in a folder, as where its config is."""
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["resolved"]["folders"] = [str(folder)]
    (run / "config.yaml").write_text(yaml.safe_dump(config))


# Which formats there are


@pytest.mark.parametrize(
    ("formats", "message"),
    [
        (
            ("onx",),
            r"unknown format `onx`; did you mean `onnx`\?; known: pt2, torch, onnx, onnxruntime",
        ),
        (("pt2", ""), r"formats are named like pt2,onnx, or none alone; got 'pt2,'"),
        ((), r"formats are named like pt2,onnx, or none alone; got ''"),
        (("torch", "torch-compiled"), "unknown format `torch-compiled`; known: pt2, torch, onnx"),
        (("nowhere_at_all:Thing",), "there is no module `nowhere_at_all`; install it, or put it beside the config"),
        (("own_runtimes:runner",), "`own_runtimes:runner` is no runtime; derive it from `reports.runtimes.Runtime`"),
        (("own_runtimes:Unfinished",), r"`own_runtimes:Unfinished` cannot be made: .*convert.*; define what `Runtime`"),
        (("own_runtimes:Mismatched",), r'set `FILE = "mine\.pt2"` in the runner, or `file` of the runtime'),
    ],
)
def test_a_format_that_cannot_be_is_refused(
    plain_run: PlainRun, own: Path, tmp_path: Path, formats: tuple[str, ...], message: str
) -> None:
    run, _ = plain_run()
    importable(run, own)
    refused(run, tmp_path / "out", message, formats=formats)


def test_two_names_of_one_runtime_are_one_format() -> None:
    assert [found.name for found in chosen(("pt2", " torch"))] == ["pt2"]


def test_what_is_not_installed_is_named_with_what_installs_it(
    plain_run: PlainRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = plain_run()
    pyproject = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    extras = pyproject["project"]["optional-dependencies"]
    monkeypatch.setattr(runtime, "installed_version", lambda name: "1" if name == "torch" else None)
    for found in (RUNTIMES[name] for name in ("onnxruntime", "openvino")):
        needs = " and ".join(dict.fromkeys((*found.converters, *found.packages)))
        match = rf"{found.title} needs {needs}; run `pip install fusion-nas\[{found.extra}\]`"
        refused(run, tmp_path / "out", match, formats=(found.format,))
        assert set(found.converters + found.packages) <= set(extras[found.extra]), "the advice must install it"
    refused(run, tmp_path / "out", "ONNX Runtime needs", onnx=True)


def test_user_defined_runtimes_lie_beside_the_config(plain_run: PlainRun, own: Path, tmp_path: Path) -> None:
    """One takes single images, one is run from here alone, one on another kind of machine; the folder says so."""
    run, _ = plain_run()
    importable(run, own)
    folder = reports.export(
        run, tmp_path / "out", formats=[f"own_runtimes:{name}" for name in ("Single", "OverWire", "Elsewhere")]
    )
    assert {"single.pt2", "run_single.py", "board.pt2", "elsewhere.pt2"} < {path.name for path in folder.iterdir()}
    assert not (folder / "model.pt2").exists()
    assert read(folder, "config.json")["formats"]["single.pt2"]["batches"] is False
    assert read(folder, "metrics.json")["formats"]["elsewhere.pt2"] == {"difference": None}
    assert read(folder, "metrics.json")["formats"]["board.pt2"]["difference"] < 1e-4
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "- `board.pt2` and `elsewhere.pt2` take batches of 1 to" in card
    assert "- `single.pt2` takes one image at a time.\n" in card
    assert "| `elsewhere.pt2` | Elsewhere" in card
    assert "| not run here |  |" in card
    done = verified(folder, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "elsewhere.pt2      not compared: this folder has nothing that runs it" in done.stdout
    assert done.stdout.splitlines()[-1].endswith("; not compared: board.pt2, elsewhere.pt2.")


# Runtimes that go wrong


@pytest.fixture
def attentive_run(own: Path, tmp_path: Path) -> Path:
    """A run whose candidate has a concatenation, then attention twice."""
    space = spaces.create("resnet", depth=8, width=4, num_classes=3, in_channels=1, input_size=(8, 8))
    choices = FusionChoice("concat"), FusionChoice("aff", 2), FusionChoice("iaff", 2)
    architecture = Architecture(space.ref, tuple(zip([point.name for point in space.points], choices, strict=True)))
    run = write_run(tmp_path / "run", space, [record(0, architecture, space.cost(architecture))])
    network = trained(space, architecture)
    with torch.no_grad():
        network.get_parameter("head.weight").normal_()  # so that what comes before is seen
    write_checkpoint(run, architecture, network)
    importable(run, own)
    return run


def test_a_runtime_that_loses_a_factor_is_refused_with_the_point_where_it_does(
    attentive_run: Path, tmp_path: Path
) -> None:
    match = (
        r"^Forgetful Runtime 2\S+: model\.pt2 differs by \S+ from the network at batch \d+ \(at most 1e-04\), first at "
        r"fusion point `stage2\.block1` \(`aff r=2`\); up to module `stages\.stage2\.0\.\w+` \(\w+\) it is right; "
        r"leave `own_runtimes:Forgetful` out of the formats "
    )
    refused(attentive_run, tmp_path / "out", match, formats=("own_runtimes:Forgetful",))


def test_a_format_that_answers_images_of_another_size_wrongly_is_refused(attentive_run: Path, tmp_path: Path) -> None:
    match = (
        r"crops\.pt2 is not what was exported: it answers images of 16 × 16 wrongly, by \S+; "
        "leave `own_runtimes:Cropping` out of the formats"
    )
    refused(attentive_run, tmp_path / "out", match, formats=("own_runtimes:Cropping",))


def test_a_converter_that_fails_is_one_line_and_leaving_it_out_works(
    plain_run: PlainRun, own: Path, tmp_path: Path
) -> None:
    run, _ = plain_run()
    importable(run, own)
    message = refused(run, tmp_path / "out", "leave `own_runtimes:Broken` out", formats=("pt2", "own_runtimes:Broken"))
    assert (
        "it cannot convert this network (TypeError: sub() got an unexpected keyword argument 'alpha' and more"
        in message
    )
    assert len(message) < 400
    assert reports.export(run, tmp_path / "out", formats=("pt2",)).is_dir()


# Folding that shows


def test_folding_that_shows_is_refused_and_leaving_it_out_works(attentive_run: Path, tmp_path: Path) -> None:
    (weights,) = (attentive_run / "checkpoints").rglob("model.safetensors")
    state = {name: tensor.clone() for name, tensor in load_file(weights).items()}
    for name in ("local_att.0.bias", "local_att.1.running_mean"):
        state[f"stages.stage2.0.fusion.{name}"].fill_(1e7)
    save_file(state, weights)
    match = r"folded, the network differs by \S+ \(at most 1e-04\): .* rounding shows; leave `fold` out"
    refused(attentive_run, tmp_path / "out", match, fold=True)
    assert reports.export(attentive_run, tmp_path / "out").is_dir()


def test_two_formats_of_one_file_are_refused(own: Path) -> None:
    sys.path.append(str(own))
    with pytest.raises(
        RunError, match=r"`pt2` and `own_runtimes:Forgetful` both write model\.pt2; leave one of them out"
    ):
        chosen(["pt2", "own_runtimes:Forgetful"])
