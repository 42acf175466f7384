"""The export folder: it runs without the package, is verified, and appears whole or not at all."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import reports
import spaces
from fusion_ops import Cost, FusionChoice, Recipe
from fusion_ops.cost import convolution
from fusion_ops.errors import RunError
from reports import candidates
from reports.exporting import folder as folder_module
from reports.runtimes import program, runtime
from reports.shipped import verify
from spaces import Architecture, FusionPoint, HostNetwork, SearchSpace
from spaces.host import HOSTS

HAS_ONNX = all(map(importlib.util.find_spec, ("onnx", "onnxscript", "onnxruntime")))
FILES = {"README.md", "config.json", "metrics.json", "provenance.json", "requirements.txt", "sample.safetensors"}
FILES |= {"model.safetensors", "model.pt2", "modeling.py", "verify.py"}
ACCURACY = 0.90625
BLOCKER = """
import sys
class Without:
    names = {"fusion_ops", "spaces", "reports", "search", "pandas", "pydantic", "optuna", "ray", "plotly", "sklearn"}
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in self.names else self.finder.find_spec(name, path, target)
sys.meta_path = [Without(finder) for finder in sys.meta_path]
"""


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def alone(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run code where torch, safetensors and numpy are, and none of our packages."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKER + code],
        cwd=cwd,
        env=environment | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def verified(folder: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return alone(f"import runpy\nrunpy.run_path({str(folder / 'verify.py')!r}, run_name='__main__')", cwd)


def trained(space: SearchSpace, architecture: Architecture) -> nn.Module:
    """Return a network after a few steps, so that nothing in it is as it was initialised."""
    torch.manual_seed(1)
    network = space.build(architecture).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    for _ in range(3):
        images = torch.randn(8, space.host.in_channels, *space.host.input_size)
        loss = nn.functional.cross_entropy(network(images), torch.arange(8) % space.host.num_classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def record(number: int, architecture: Architecture, cost: Cost, **known: Any) -> dict[str, Any]:
    return {
        "number": number,
        "id": architecture.id,
        "state": "complete",
        "reason": "",
        "kind": "search",
        "seed": 7,
        "epochs": 3,
        "accuracy": ACCURACY,
        "loss": 0.31,
        "params": cost.params,
        "flops": cost.flops,
        "seconds": 1.5,
        "worker": "somewhere:12",
        "retries": 0,
        "started": "2026-03-02T10:00:00.000+00:00",
        "finished": "2026-03-02T10:00:02.000+00:00",
        "architecture": architecture.to_json(),
        "curve": [0.5, 0.8, ACCURACY],
    } | known


def write_run(path: Path, space: SearchSpace, rows: list[dict[str, Any]], **config: Any) -> Path:
    path.mkdir(parents=True)
    channels = space.host.in_channels
    dataset = {
        "name": "digits",
        "task": "classification",
        "classes": [f"class {index}" for index in range(space.host.num_classes)],
        "input_shape": [channels, *space.host.input_size],
        "mean": [0.3 + 0.1 * index for index in range(channels)],
        "std": [0.4] * channels,
        "train": 100,
        "validation": 32,
        "test": 40,
    }
    environment = {"fusion_nas": "0.1.0", "torch": "2.13.0", "cpu": "Example CPU", "cpus": 2, "gpus": []}
    values = {"objectives": ["accuracy", "params"], "resolved": {"dataset": dataset, "environment": environment}}
    (path / "config.yaml").write_text(yaml.safe_dump(values | config), encoding="utf-8")
    candidates.write(candidates.frame(rows, ["accuracy", "params"]), path)
    images = torch.randint(0, 256, (5, *dataset["input_shape"]), dtype=torch.uint8)
    save_file({"images": images, "labels": torch.zeros(5, dtype=torch.int64)}, path / "samples.safetensors")
    return path


def write_checkpoint(run: Path, architecture: Architecture, network: nn.Module) -> Path:
    path = run / "checkpoints" / architecture.id / "model.safetensors"
    path.parent.mkdir(parents=True)
    save_file(network.state_dict(), path)
    return path


def mixed(space: SearchSpace) -> Architecture:
    choices = FusionChoice("concat"), FusionChoice("sk", 4), FusionChoice("iaff", 4)
    return Architecture(space.ref, tuple(zip([point.name for point in space.points], choices, strict=True)))


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
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
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

    folder = reports.export(run, path / "deeper" / "out", onnx=HAS_ONNX, evaluate=evaluate)
    return Exported(run, folder, space, architecture, network, evaluated)


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


@pytest.fixture
def copied(exported: Exported, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported.folder, tmp_path / "copied"))


def test_holds_these_files_and_no_others(exported: Exported) -> None:
    assert {path.name for path in exported.folder.iterdir()} == FILES | ({"model.onnx"} if HAS_ONNX else set())
    assert [path.name for path in exported.folder.parent.iterdir()] == [exported.folder.name]
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in exported.folder.iterdir())


def test_verify_passes_without_our_packages(exported: Exported, tmp_path: Path) -> None:
    done = verified(exported.folder, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith(f"Verified: {len(FILES) - 1 + HAS_ONNX} files unchanged")
    for name in ("model.safetensors", "model.pt2", *(["model.onnx"] if HAS_ONNX else [])):
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


def test_exported_program_takes_any_batch(exported: Exported) -> None:
    network = torch.export.load(exported.folder / "model.pt2").module()
    for batch in (1, 2, 7, program.MAX_BATCH):
        images = torch.randn(batch, 1, 8, 8)
        with torch.no_grad():
            torch.testing.assert_close(network(images), exported.network(images), rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not HAS_ONNX, reason="onnx, onnxscript or onnxruntime is not installed")
def test_onnx_takes_any_batch(exported: Exported) -> None:
    session = importlib.import_module("onnxruntime").InferenceSession(str(exported.folder / "model.onnx"))
    assert [argument.name for argument in session.get_inputs()] == ["images"]
    for batch in (1, 7, 300):
        images = torch.randn(batch, 1, 8, 8)
        (logits,) = session.run(["logits"], {"images": images.numpy()})
        with torch.no_grad():
            torch.testing.assert_close(torch.from_numpy(logits), exported.network(images), rtol=1e-4, atol=1e-5)


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
    assert len(lines) == 3 + HAS_ONNX


def test_evaluates_the_files_loaded_again(exported: Exported) -> None:
    with torch.no_grad():
        expected = exported.network(torch.ones(2, 1, 8, 8))
    torch.testing.assert_close(exported.evaluated[0], expected)


# What verify.py finds


def test_verify_finds_one_changed_bit(copied: Path, tmp_path: Path) -> None:
    weights = copied / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-3] ^= 1
    weights.write_bytes(data)
    done = verified(copied, tmp_path)
    assert done.returncode == 1
    assert "FAILED: model.safetensors is changed; its SHA-256 is not the one in provenance.json." in done.stdout
    assert "Verified" not in done.stdout
    assert "model.safetensors   changed" in done.stdout


def test_verify_finds_a_missing_file(copied: Path) -> None:
    (copied / "config.json").unlink()
    assert list(verify.problems(verify.changed_files(copied), {})) == [
        "config.json is missing; its SHA-256 is not the one in provenance.json"
    ]


def differing(folder: Path, *without: str) -> list[str]:
    for name in without:
        (folder / name).unlink(missing_ok=True)
    return list(verify.problems({}, verify.differences(folder)))


def test_verify_finds_other_outputs_whatever_the_hashes_say(copied: Path) -> None:
    weights = load_file(copied / "model.safetensors")
    for change in (0.01, float("nan")):
        weights["head.bias"] += change
        save_file(weights, copied / "model.safetensors")
        (problem,) = differing(copied, "model.pt2", "model.onnx")
        assert problem.startswith("model.safetensors differs by ")
        assert problem.endswith(" from the network that was exported; at most 1e-04 is allowed")


def test_verify_finds_a_difference_that_one_image_alone_shows(copied: Path) -> None:
    with (copied / "modeling.py").open("a", encoding="utf-8") as file:
        file.write("\n\noriginal = load_model\n\n\ndef load_model(folder):\n    model = original(folder)\n")
        file.write("    return lambda images: model(images) + (len(images) == 1)\n")
    (problem,) = differing(copied, "model.pt2", "model.onnx")
    assert problem.startswith("model.safetensors differs by 1")


def test_verify_finds_formats_that_do_not_load(copied: Path) -> None:
    (copied / "model.pt2").write_bytes(b"nothing")
    (copied / "modeling.py").write_text("def load_model(folder): return broken", encoding="utf-8")
    weights, program = differing(copied, "model.onnx")
    assert weights.startswith("model.safetensors fails: NameError: ")
    assert program.startswith("model.pt2 fails: ")


def test_verify_finds_outputs_of_another_shape(copied: Path) -> None:
    sample = load_file(copied / "sample.safetensors")
    save_file(sample | {"outputs": sample["outputs"][:, :2].contiguous()}, copied / "sample.safetensors")
    assert differing(copied, "model.pt2", "model.onnx") == [
        "model.safetensors fails: ValueError: outputs (5, 3), expected (5, 2)"
    ]


# Other networks


class Merge(nn.Module):
    """Two branches of other channels and sizes, then a concatenation in the host itself."""

    def __init__(self, in_channels: int, num_classes: int, fusions: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.fine = nn.Conv2d(in_channels, 4, 3, padding=1)
        self.coarse = nn.Conv2d(in_channels, 6, 3, stride=2, padding=1)
        self.long, self.together = fusions["long"], fusions["together"]
        self.head = nn.Linear(9, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        fine, coarse = torch.relu(self.fine(x)), torch.relu(self.coarse(x))
        merged = self.long(fine, coarse)
        logits: Tensor = self.head(self.together(merged, fine).mean(dim=(2, 3)))
        return logits


@dataclass(frozen=True, slots=True)
class MergeHost(HostNetwork):
    """A host network of a user's own."""

    num_classes: int = 4
    in_channels: int = 3
    input_size: tuple[int, int] = (6, 10)

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_size", tuple(self.input_size))

    @property
    def fusion_points(self) -> tuple[FusionPoint, ...]:
        return (
            FusionPoint("long", "long_skip", (4, 6), 5, ((6, 10), (3, 5)), "neck"),
            FusionPoint("together", "same_layer", (5, 4), 9, ((6, 10), (6, 10)), "neck"),
        )

    def cost(self) -> Cost:
        fine, coarse = convolution(3, 4, 60, kernel=9, bias=True), convolution(3, 6, 15, kernel=9, bias=True)
        return fine + coarse + convolution(9, 4, 1, bias=True)

    def recipe(self, fusions: Mapping[str, Recipe]) -> Recipe:
        return Recipe(Merge, (self.in_channels, self.num_classes), {"fusions": dict(fusions)})


@pytest.fixture
def merge_space(monkeypatch: pytest.MonkeyPatch) -> SearchSpace:
    monkeypatch.setitem(HOSTS._entries, "merge", MergeHost)
    return spaces.create("merge")


def test_aligned_inputs_and_plain_concatenation(merge_space: SearchSpace, tmp_path: Path) -> None:
    options = (("context", "local"), ("initial", "concat"), ("scale", "paper"))
    choices = (("long", FusionChoice("aff", 2, options)), ("together", FusionChoice("concat")))
    architecture = Architecture(merge_space.ref, choices)
    network = trained(merge_space, architecture)
    run = write_run(tmp_path / "run", merge_space, [record(0, architecture, merge_space.cost(architecture))])
    write_checkpoint(run, architecture, network)
    folder = reports.export(run, tmp_path / "out")
    images = torch.randn(3, 3, 6, 10)
    with torch.no_grad():
        expected = network(images)
        for name in ("model.safetensors", "model.pt2"):
            outputs = verify.FORMATS[name](folder / name)(images)
            torch.testing.assert_close(outputs, expected, rtol=1e-4, atol=1e-5)
    source = (folder / "modeling.py").read_text(encoding="utf-8")
    assert '"long": Aligned(AFF(5, r=2, context="local", initial="concat", scale="paper"), (4, 6), 5),' in source
    assert '"together": Concat(9, in_channels=(5, 4)),' in source
    assert "MEAN = (0.3, 0.4, 0.5)" in source


# What is refused


@pytest.fixture
def plain_run(tmp_path: Path) -> Callable[..., tuple[Path, Architecture]]:
    def make(**changes: Any) -> tuple[Path, Architecture]:
        space = spaces.create("resnet", depth=8, width=2, num_classes=3, in_channels=1, input_size=(8, 8))
        architecture = space.uniform("sum")
        run = write_run(tmp_path / "run", space, [record(0, architecture, space.cost(architecture))], **changes)
        write_checkpoint(run, architecture, space.build(architecture))
        return run, architecture

    return make


def refused(run: Path, out: Path, match: str, **options: Any) -> None:
    """Expect a refusal that changes nothing beside the run."""
    before = sorted(path for path in out.parent.rglob("*"))
    with pytest.raises(RunError, match=match):
        reports.export(run, out, **options)
    assert sorted(path for path in out.parent.rglob("*")) == before


def test_another_accuracy_than_in_the_search_is_an_error(plain_run: Any, tmp_path: Path) -> None:
    run, architecture = plain_run()
    match = rf"candidate {architecture.id} has a validation accuracy of 0\.9, and had 0\.90625 in the search"
    refused(run, tmp_path / "out", match, evaluate=lambda model: {"accuracy": 0.9})
    refused(run, tmp_path / "out", "accuracy of –", evaluate=lambda model: {"accuracy": float("nan")})


def test_checkpoint_that_is_missing_damaged_or_of_another_network(plain_run: Any, tmp_path: Path) -> None:
    run, architecture = plain_run()
    path = run / "checkpoints" / architecture.id / "model.safetensors"
    # Tensors of a loaded file are views of it: they would not outlive its being cut.
    whole, state = path.read_bytes(), {name: tensor.clone() for name, tensor in load_file(path).items()}
    path.write_bytes(whole[: len(whole) // 2])
    refused(run, tmp_path / "out", "the weights of the candidate, is damaged")
    save_file(state | {"head.bias": torch.zeros(4)}, path)
    refused(run, tmp_path / "out", r"`head\.bias` must be float32 \(3,\), and is float32 \(4,\)")
    save_file({key: value for key, value in state.items() if key != "norm.weight"}, path)
    refused(run, tmp_path / "out", r"`norm\.weight` must be float32 \(8,\), and is absent")
    save_file(state | {"more": torch.zeros(1)}, path)
    refused(run, tmp_path / "out", r"`more` must be absent, and is float32 \(1,\)")
    path.unlink()
    refused(run, tmp_path / "out", "the weights of the candidate, is missing")


def test_sample_that_is_missing_or_of_other_images(plain_run: Any, tmp_path: Path) -> None:
    run, _ = plain_run()
    save_file({"images": torch.zeros(2, 3, 8, 8, dtype=torch.uint8)}, run / "samples.safetensors")
    refused(run, tmp_path / "out", r"must hold uint8 `images` of shape \(N, 1, 8, 8\)")
    save_file({"images": torch.zeros(2, 1, 8, 8)}, run / "samples.safetensors")
    refused(run, tmp_path / "out", "must hold uint8 `images`")
    (run / "samples.safetensors").unlink()
    refused(run, tmp_path / "out", "the run's sample of validation images, is missing")


def test_run_that_says_nothing_of_its_data(plain_run: Any, tmp_path: Path) -> None:
    run, _ = plain_run(resolved={"dataset": {"classes": ["a"], "input_shape": [1, 8, 8], "mean": [0.1]}})
    refused(run, tmp_path / "out", r"does not say `resolved\.dataset\.std`")


def test_folder_that_is_there_already(plain_run: Any, tmp_path: Path) -> None:
    run, _ = plain_run()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine", encoding="utf-8")
    refused(run, tmp_path / "full", "is a folder that is not empty; choose another")
    refused(run, run / "config.yaml", "is a file; choose another")
    refused(tmp_path / "nowhere", tmp_path / "out", "there is no run directory")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=repr)
def test_failure_leaves_nothing(
    plain_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    run, _ = plain_run()

    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(folder_module, "write_exported_program", fail)
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    expected = RunError if isinstance(error, OSError) else KeyboardInterrupt
    for target in (tmp_path / "empty", tmp_path / "new" / "deeper"):
        with pytest.raises(expected, match=r"No space left|^$"):
            reports.export(run, target)
    assert sorted(tmp_path.rglob("*")) == before


def test_export_that_does_not_verify_never_appears(
    plain_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, architecture = plain_run()
    monkeypatch.setattr(
        folder_module, "write_exported_program", lambda network, images, path: path.write_bytes(b"nothing")
    )
    refused(run, tmp_path / "out", rf"candidate {architecture.id} is not what was trained: model\.pt2 fails")


def test_onnx_without_its_packages_says_what_to_install(
    plain_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = plain_run()
    monkeypatch.setattr(runtime, "installed_version", lambda name: None)
    refused(run, tmp_path / "out", r"needs onnx and onnxscript; run `pip install fusion-nas\[onnx\]`", onnx=True)


def test_a_missing_run_is_refused() -> None:
    with pytest.raises(RunError, match="there is no run directory nowhere"):
        reports.export("nowhere", "out")
