"""What `verify.py` finds in an export that was changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

import reports
import spaces
from reports.shipped import verify
from tests.reports.exportable import record, trained, verified, write_checkpoint, write_run

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    path = tmp_path_factory.mktemp("export")
    space = spaces.create("resnet", depth=8, width=4, num_classes=3, in_channels=1, input_size=(8, 8))
    architecture = space.uniform("sum")
    run = write_run(path / "run", space, [record(4, architecture, space.cost(architecture))])
    write_checkpoint(run, architecture, trained(space, architecture))
    return reports.export(run, path / "out")


@pytest.fixture
def copied(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "copied"))


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


@pytest.mark.parametrize("name", ["config.json", "run_pt2.py"])
def test_damage_that_cannot_be_read_is_reported_like_any_other(copied: Path, tmp_path: Path, name: str) -> None:
    (copied / name).write_text("{ torn", encoding="utf-8")
    done = verified(copied, tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert f"FAILED: {name} is changed; its SHA-256 is not the one in provenance.json." in done.stdout


def differing(folder: Path, *without: str) -> list[str]:
    for name in without:
        (folder / name).unlink(missing_ok=True)
    return list(verify.problems({}, verify.differences(folder)))


def test_verify_finds_other_outputs_whatever_the_hashes_say(copied: Path) -> None:
    weights = load_file(copied / "model.safetensors")
    for change in (0.01, float("nan")):
        weights["head.bias"] += change
        save_file(weights, copied / "model.safetensors")
        (problem,) = differing(copied, "model.pt2")
        assert problem.startswith("model.safetensors differs by ")
        assert problem.endswith(" from the network that was exported; at most 1e-04 is allowed")


def test_verify_finds_a_difference_that_one_image_alone_shows(copied: Path) -> None:
    with (copied / "modeling.py").open("a", encoding="utf-8") as file:
        file.write("\n\noriginal = load_model\n\n\ndef load_model(folder):\n    model = original(folder)\n")
        file.write("    return lambda images: model(images) + (len(images) == 1)\n")
    (problem,) = differing(copied, "model.pt2")
    assert problem.startswith("model.safetensors differs by 1")


def test_verify_finds_formats_that_do_not_load(copied: Path) -> None:
    (copied / "model.pt2").write_bytes(b"nothing")
    (copied / "modeling.py").write_text("def load_model(folder): return broken", encoding="utf-8")
    weights, program = differing(copied)
    assert weights.startswith("model.safetensors fails: NameError: ")
    assert program.startswith("model.pt2 fails: ")


def test_verify_finds_outputs_of_another_shape(copied: Path) -> None:
    sample = load_file(copied / "sample.safetensors")
    save_file(sample | {"outputs": sample["outputs"][:, :2].contiguous()}, copied / "sample.safetensors")
    assert differing(copied, "model.pt2") == ["model.safetensors fails: ValueError: outputs (1, 3), expected (1, 2)"]


def test_verify_finds_a_runner_that_computes_something_else(copied: Path) -> None:
    runner = copied / "run_pt2.py"
    runner.write_text(runner.read_text().replace("output.numpy()", "0.9 * output.numpy()"))
    (problem,) = differing(copied)
    assert problem.startswith("model.pt2 differs by ")


def test_a_format_has_its_own_limit_and_sample_where_config_says_so(copied: Path) -> None:
    config = copied / "config.json"
    config.write_text(config.read_text().replace('"batches": true', '"batches": true, "limit": 0.5, "sample": "s.st"'))
    sample = load_file(copied / "sample.safetensors")
    save_file(sample | {"outputs": sample["outputs"] + 0.1}, copied / "s.st")
    found = verify.differences(copied)
    assert found["model.pt2"] == pytest.approx(0.1, abs=1e-3)
    assert list(verify.problems({}, found, copied)) == []
    save_file(sample | {"outputs": sample["outputs"] + 1}, copied / "s.st")
    (problem,) = verify.problems({}, verify.differences(copied), copied)
    assert problem.endswith("at most 5e-01 is allowed")


def test_machine_code_for_another_machine_is_not_run(copied: Path, tmp_path: Path) -> None:
    config = copied / "config.json"
    written = config.read_text()
    config.write_text(written.replace('"batches": true', '"batches": true, "machine": "Linux riscv64"'))
    (copied / "model.pt2").write_bytes(b"nothing that loads here")
    said = f"not compared: it is machine code for Linux riscv64, and this is {verify.this_machine()}"
    assert verify.differences(copied)["model.pt2"] == said
    assert list(verify.problems({}, verify.differences(copied), copied)) == []
    config.write_text(written.replace('"batches": true', f'"batches": true, "machine": "{verify.this_machine()}"'))
    assert verify.differences(copied)["model.pt2"].startswith("fails: ")


def test_nothing_of_packages_that_are_not_there_is_run(copied: Path) -> None:
    (copied / "run_other.py").write_text('import nowhere\nFILE = "model.pt2"\nNEEDS = ("nowhere.inside", "torch")\n')
    (copied / "run_pt2.py").unlink()
    assert verify.differences(copied)["model.pt2"] == "not compared: nowhere.inside is not installed"
    (copied / "run_other.py").unlink()
    assert "model.pt2" not in verify.differences(copied)
