"""The export folder: it runs without the package, is verified, and says what is in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import reports
import spaces
from reports.runtimes import RUNTIMES, program
from reports.shipped import verify
from spaces import Architecture, SearchSpace
from tests.reports.exportable import (
    ACCURACY,
    alone,
    mixed,
    read,
    record,
    trained,
    verified,
    write_checkpoint,
    write_run,
)

pytestmark = pytest.mark.usefixtures("one_thread")

FILES = {"README.md", "config.json", "metrics.json", "provenance.json", "requirements.txt", "sample.safetensors"}
FILES |= {"model.safetensors", "modeling.py", "verify.py"}
RUNNERS = {"pt2": "run_pt2.py", "onnx": "run_onnx.py", "openvino": "run_openvino.py"}
WRITTEN = {"pt2": {"model.pt2"}, "onnx": {"model.onnx"}, "openvino": {"model.xml", "model.bin"}}
FORMATS = {
    RUNTIMES[name].format: RUNTIMES[name]
    for name in ("torch", "onnxruntime", "openvino")
    if not RUNTIMES[name].missing()
}
FILES = FILES.union(*(WRITTEN[name] | {RUNNERS[name]} for name in FORMATS))


@dataclass(frozen=True)
class Exported:
    """A run, what was exported of it, and the network that was trained."""

    run: Path
    folder: Path
    space: SearchSpace
    architecture: Architecture
    network: nn.Module
    evaluated: list[Tensor]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Exported:
    """An export in every format that is installed here, batch norms folded."""
    path = tmp_path_factory.mktemp("export")
    space = spaces.create("resnet", depth=8, width=4, num_classes=3, in_channels=1, input_size=(8, 8))
    architecture = mixed(space)
    network = trained(space, architecture)
    rows = [record(4, architecture, space.cost(architecture))]
    run = write_run(path / "run", space, rows)
    write_checkpoint(run, architecture, network)
    evaluated: list[Tensor] = []

    def evaluate(model: nn.Module) -> Mapping[str, float]:
        with torch.no_grad():
            evaluated.append(model(torch.ones(2, 1, 8, 8)))
        return {"accuracy": ACCURACY + 1e-8, "loss": 0.3125}

    folder = reports.export(run, path / "deeper" / "out", formats=tuple(FORMATS), fold=True, evaluate=evaluate)
    return Exported(run, folder, space, architecture, network, evaluated)


def test_holds_these_files_and_no_others(exported: Exported) -> None:
    assert {path.name for path in exported.folder.iterdir()} == FILES
    assert [path.name for path in exported.folder.parent.iterdir()] == [exported.folder.name]
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in exported.folder.iterdir())


def test_verify_passes_without_our_packages(exported: Exported, tmp_path: Path) -> None:
    done = verified(exported.folder, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith(f"Verified: {len(FILES) - 1} files unchanged, every format within")
    for name in ("model.safetensors", *(runtime.file for runtime in FORMATS.values())):
        assert f"\n{name} " in done.stdout.partition("largest difference")[2]
    assert not (exported.folder / "__pycache__").exists()


def test_modeling_alone_is_the_trained_network(exported: Exported, tmp_path: Path) -> None:
    card = (exported.folder / "README.md").read_text(encoding="utf-8")
    usage = card.partition("```python\n")[2].partition("```")[0]
    assert usage.count("images = ...") == 1
    code = f"""
import torch
torch.set_num_threads(1)
sys.path.insert(0, {str(exported.folder)!r})
sys.dont_write_bytecode = True
from modeling import create_model
{usage.replace("images = ...", "images = torch.arange(192, dtype=torch.uint8).view(3, 1, 8, 8)")}
torch.save(model(preprocess(images)), "outputs.pt")
fresh = create_model().train()
fresh(preprocess(images[:1])).sum().backward()
print(sum(parameter.numel() for parameter in fresh.parameters()))
"""
    done = alone(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tensor([[")
    assert int(done.stdout.splitlines()[-1]) == exported.space.cost(exported.architecture).params
    images = torch.arange(192, dtype=torch.uint8).view(3, 1, 8, 8)
    expected = exported.network((images.float() / 255 - 0.3) / 0.4)
    torch.testing.assert_close(torch.load(tmp_path / "outputs.pt"), expected, rtol=1e-5, atol=1e-6)


def test_formats_that_cannot_run_are_named(exported: Exported, tmp_path: Path) -> None:
    code = f"import runpy\nrunpy.run_path({str(exported.folder / 'verify.py')!r}, run_name='__main__')"
    done = alone("Without.names |= {'onnxruntime', 'openvino'}\n" + code, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    for name, package in (("onnx", "onnxruntime"), ("openvino", "openvino")):
        if name in FORMATS:
            file = FORMATS[name].file
            assert f"\n{file} " in done.stdout
            assert f"not compared: {package} is not installed" in done.stdout
            assert file in last.partition("not compared: ")[2]
    assert "every format that was compared within 1e-04" in last


def runner(folder: Path, name: str) -> ModuleType:
    return verify.load_module(folder / RUNNERS[name])


@pytest.mark.parametrize("name", list(WRITTEN))
def test_a_format_takes_any_batch_and_refuses_another_size(exported: Exported, name: str) -> None:
    if name not in FORMATS:
        pytest.skip(f"{name} is not installed")
    run = runner(exported.folder, name).load(exported.folder / FORMATS[name].file, threads=1)
    for batch in (1, 2, 7, 300, *([program.MAX_BATCH] if name == "pt2" else [])):
        images = torch.randn(batch, 1, 8, 8)
        with torch.no_grad():
            expected = exported.network(images)
        (logits,) = run(images.numpy())
        torch.testing.assert_close(torch.from_numpy(logits), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(Exception, match=r"(?i)shape|dimension|guard"):
        run(torch.randn(1, 1, 16, 16).numpy())


def test_inputs_and_outputs_of_onnx_have_names(exported: Exported) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    session = onnxruntime.InferenceSession(str(exported.folder / "model.onnx"))
    assert [argument.name for argument in session.get_inputs()] == ["images"]
    assert [argument.name for argument in session.get_outputs()] == ["logits"]


def test_formats_and_what_was_folded_are_in_the_files(exported: Exported) -> None:
    config, metrics = (read(exported.folder, f"{name}.json") for name in ("config", "metrics"))
    card = (exported.folder / "README.md").read_text(encoding="utf-8")
    assert list(config["formats"]) == list(metrics["formats"]) == [runtime.file for runtime in FORMATS.values()]
    for name, runtime in FORMATS.items():
        said = {"runtime": runtime.title, "version": runtime.version, "runner": RUNNERS[name], "batches": True}
        said["compared_at"] = [1, 7, 64]
        assert config["formats"][runtime.file] == said
        assert 0 <= metrics["formats"][runtime.file]["difference"] < 1e-4
        assert f"| `{runtime.file}` | {runtime.title} " in card
        assert card.count("| 1, 7, 64 |") == len(FORMATS)
    # Four of an iAFF's eight are behind its global pooling.
    point = "stages.stage3.0.fusion"
    inside = [pair["batch_norm"] for pair in config["folded"]["folded"] if pair["batch_norm"].startswith(point)]
    assert len(inside) == 8
    assert f"{config['folded']['summary']}; `modeling.py` and" in card
    assert "norm" in config["folded"]["left"]
    trained = load_file(exported.folder / "model.safetensors")
    assert trained.keys() == exported.network.state_dict().keys()


def test_sample_is_what_the_trained_network_does(exported: Exported) -> None:
    sample = load_file(exported.folder / "sample.safetensors")
    images = load_file(exported.run / "samples.safetensors")["images"]
    torch.testing.assert_close(sample["images"], (images / 255 - 0.3) / 0.4)
    with torch.no_grad():
        torch.testing.assert_close(sample["outputs"], exported.network(sample["images"]))


def test_config_says_what_the_network_takes(exported: Exported) -> None:
    config = read(exported.folder, "config.json")
    assert Architecture.from_dict(config["architecture"]) == exported.architecture
    assert config["candidate"] == exported.architecture.id
    assert config["schema_version"] == 1
    assert config["input_shape"] == [1, 8, 8]
    assert config["preprocessing"] == {"scale": 1 / 255, "mean": [0.3], "std": [0.4]}
    assert config["classes"] == ["class 0", "class 1", "class 2"]


def test_metrics_keep_splits_and_units_apart(exported: Exported) -> None:
    metrics = read(exported.folder, "metrics.json")
    cost = exported.space.cost(exported.architecture)
    assert metrics["validation"] == {
        "accuracy": ACCURACY,
        "loss": 0.31,
        "n": 32,
        "seed": 7,
        "seeds": 1,
        "epochs": 3,
        "recomputed": {"accuracy": ACCURACY + 1e-8, "loss": 0.3125},
    }
    assert metrics["test"] is None
    assert "retraining" in metrics["test_note"]
    assert metrics["params"] == cost.params
    assert metrics["flops"] == {"value": cost.flops, "unit": "2 × multiply-adds, one input"}
    assert metrics["latency"] is None


def test_provenance_names_every_file(exported: Exported) -> None:
    provenance = read(exported.folder, "provenance.json")
    assert set(provenance["files"]) == {path.name for path in exported.folder.iterdir()} - {"provenance.json"}
    for name, digest in provenance["files"].items():
        assert hashlib.sha256((exported.folder / name).read_bytes()).hexdigest() == digest
    assert provenance["config_sha256"] == hashlib.sha256((exported.run / "config.yaml").read_bytes()).hexdigest()
    assert (provenance["candidate"], provenance["number"], provenance["seed"]) == (exported.architecture.id, 4, 7)
    assert provenance["trained_with"]["cpu"] == "Example CPU"
    assert provenance["exported_with"]["torch"] == torch.__version__
    text = (exported.folder / "provenance.json").read_text(encoding="utf-8")
    assert str(exported.run) not in text
    assert "somewhere" not in text


def test_card_says_what_matters(exported: Exported) -> None:
    card = (exported.folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith(f"# Network {exported.architecture.id}\n")
    assert "| accuracy, validation | 90.62 % | n = 32, 1 seed, best of 3 epochs; measured again" in card
    assert "| accuracy, test | not measured |" in card
    assert "| FLOPs | " in card
    assert "2 × multiply-adds, one input" in card
    for point in exported.space.points:
        assert card.count(f"| {point.name} | short skip | `{exported.architecture[point.name]}` |") == 1
    assert "class 0, class 1, class 2" in card
    assert "MIT" in card
    named = {line.split("`")[1] for line in card.partition("## Files")[2].splitlines() if line.startswith("| `")}
    assert named == {path.name for path in exported.folder.iterdir()} - {"README.md"}


def test_requirements_are_the_versions_that_wrote_it(exported: Exported) -> None:
    lines = (exported.folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert lines[:3] == [f"torch>={torch.__version__.partition('+')[0]}", "safetensors>=0.5", "numpy>=1.26"]
    further = [f"{runtime.packages[0]}>={runtime.version}" for name, runtime in FORMATS.items() if name != "pt2"]
    assert lines[3:] == further


def test_evaluates_the_files_loaded_again(exported: Exported) -> None:
    with torch.no_grad():
        expected = exported.network(torch.ones(2, 1, 8, 8))
    torch.testing.assert_close(exported.evaluated[0], expected)
