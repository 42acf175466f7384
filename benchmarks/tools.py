"""What the tools that people deploy with make of an export's `model.pt2` and `model.onnx`, by themselves.

What it shows
    An export has a file of its own for most runtimes (`export --format openvino,executorch,…`), compared before it is
    delivered. This is about the two general files, `model.pt2` and `model.onnx`, read by each tool as its own
    documentation says, without anything of fusion-nas: whether the answer is right in batches of 1, 7 and 64 images
    (one at a time, where a tool takes no others), by what largest difference, how images of twice the height and width
    are answered, or with which words the tool refuses the file.

Result
    `benchmarks/results/tools.json`; as a table in `docs/deployment.md`.

How to run
    fusion-nas launch examples/digits.yaml --run-dir runs/digits
    fusion-nas export runs/digits -o exported --format pt2,onnx
    python benchmarks/tools.py exported [--only openvino-pt2 …] [--json FILE]     # whatever is installed here
    python benchmarks/tools.py --page                                             # the table of docs/deployment.md

    The same with another candidate, such as one of all operators, adds a second table.
    It needs torch, safetensors and numpy. No environment holds all tools: each call keeps what others have found.
    `python benchmarks/tools.py --needs` prints what to install for each.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
RESULTS, PAGE = ROOT / "benchmarks" / "results" / "tools.json", ROOT / "docs" / "deployment.md"
BATCHES, LIMIT, SECONDS = (1, 7, 64), 1e-4, 900
Run = Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True)
class Tool:
    """A tool that reads one of the files.

    Args:
        title: As a person reads it.
        file: `model.pt2` or `model.onnx`.
        packages: What it needs; the first one's version is the tool's.
        load: Returns a function of images that returns logits, from the file and an empty folder.
        batches: Whether it takes several images at once.
        how: What the table says beside the title.
    """

    title: str
    file: str
    packages: tuple[str, ...]
    load: Callable[[Path, Path], Run]
    batches: bool = True
    how: str = ""

    @property
    def version(self) -> str | None:
        """Version of the tool; `None` where something is not installed."""
        try:
            first, *_ = [version(package) for package in self.packages]
        except PackageNotFoundError:
            return None
        return first


def onnx_runtime(path: Path, _folder: Path) -> Run:
    """ONNX Runtime, as it is."""
    session = import_module("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images})[0]


def openvino(path: Path, _folder: Path) -> Run:
    """OpenVINO's own converter, of either file, compiled in full precision."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # it would send usage data, unasked
    package = import_module("openvino")
    given = torch.export.load(path) if path.suffix == ".pt2" else path
    compiled = package.Core().compile_model(
        package.convert_model(given), "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 2}
    )
    return lambda images: np.array(compiled(images)[0])


def executorch(path: Path, folder: Path) -> Run:
    """ExecuTorch with its XNNPACK partitioner, at its defaults."""
    exir = import_module("executorch.exir")
    xnnpack = import_module("executorch.backends.xnnpack.partition.xnnpack_partitioner")
    lowered = exir.to_edge_transform_and_lower(torch.export.load(path), partitioner=[xnnpack.XnnpackPartitioner()])
    file = folder / "model.pte"
    file.write_bytes(lowered.to_executorch().buffer)
    method = import_module("executorch.runtime").Runtime.get().load_program(file).load_method("forward")
    return lambda images: np.array(method.execute([torch.from_numpy(images)])[0])


def tvm(path: Path, _folder: Path) -> Run:
    """TVM's Relax frontend, compiled for this processor."""
    package, relax = import_module("tvm"), import_module("tvm.relax")
    frontend = import_module("tvm.relax.frontend.torch")
    module = frontend.from_exported_program(torch.export.load(path))
    machine = relax.VirtualMachine(package.compile(module, target="llvm"), package.cpu())

    def run(images: NDArray[Any]) -> NDArray[Any]:
        returned = machine["main"](package.runtime.tensor(images))
        output: NDArray[Any] = (returned if hasattr(returned, "numpy") else returned[0]).numpy()
        return output

    return run


def coreml(path: Path, _folder: Path) -> Run:
    """Core ML's converter; its operations are calculated in PyTorch, as their documentation defines them."""
    coremltools = import_module("coremltools")
    sys.path.insert(0, str(ROOT))
    mil = import_module("tests.runtimes.mil")
    program = torch.export.load(path).run_decompositions({})
    model = coremltools.convert(program, compute_precision=coremltools.precision.FLOAT32, skip_model_load=True)
    return lambda images: mil.run(model._mil_program, torch.from_numpy(images))[0].numpy()


def litert(path: Path, folder: Path) -> Run:
    """LiteRT's converter, for one image; run by its interpreter."""
    module = torch.export.load(path).module()
    module.eval = lambda: module  # type: ignore[method-assign,assignment]  # the converter asks for it, and it is already
    (one,) = (given[:1] for given in torch.export.load(path).example_inputs[0])
    import_module("litert_torch").convert(module, (one,)).export(str(folder / "model.tflite"))
    interpreter = import_module("ai_edge_litert.interpreter").Interpreter(str(folder / "model.tflite"))
    program = interpreter.get_signature_runner()
    (name,) = program.get_input_details()
    return lambda images: next(iter(program(**{name: images}).values()))


def iree_pt2(path: Path, _folder: Path) -> Run:
    """IREE by iree-turbine, for its CPU backend."""
    aot = import_module("iree.turbine.aot")
    return _iree(str(aot.export(torch.export.load(path)).mlir_module), "torch")


def iree_onnx(path: Path, folder: Path) -> Run:
    """IREE by its importer of ONNX, for its CPU backend."""
    mlir = folder / "model.mlir"
    command = [sys.executable, "-m", "iree.compiler.tools.import_onnx", str(path), "-o", str(mlir)]
    subprocess.run([*command, "--opset-version", "20"], check=True, capture_output=True)
    return _iree(mlir.read_text(), "onnx")


def _iree(mlir: str, kind: str) -> Run:
    compiler, runtime = import_module("iree.compiler"), import_module("iree.runtime")
    settings = {"target_backends": ["llvm-cpu"], "extra_args": ["--iree-llvmcpu-target-cpu=generic"]}
    compiled = compiler.compile_str(mlir, input_type=kind, **settings)
    config = runtime.Config("local-task")
    context = runtime.SystemContext(config=config)
    context.add_vm_module(runtime.VmModule.copy_buffer(config.vm_instance, compiled))
    module = next(one for one in context.modules.__dict__["_modules"].values() if one.name == "module")
    name = next(name for name in module.vm_module.function_names if not name.startswith("__") and "$" not in name)
    return lambda images: np.array(module[name](images))


def ncnn(path: Path, folder: Path) -> Run:
    """By pnnx, of either file, in full precision; run by ncnn without its half precision."""
    images = _sample(path.parent)[0][:1]
    pnnx, package = import_module("pnnx"), import_module("ncnn")
    shape = ",".join(map(str, images.shape))
    files = {"ncnnparam": "n.param", "ncnnbin": "n.bin", "ncnnpy": "n.py", "pnnxparam": "p.param", "pnnxbin": "p.bin"}
    settings = [f"{key}={name}" for key, name in (files | {"pnnxpy": "p.py", "pnnxonnx": "p.onnx"}).items()]
    command = [pnnx.EXEC_PATH, str(path.resolve()), f"inputshape=[{shape}]f32", "fp16=0", *settings]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode or not (folder / "n.param").is_file():
        raise RuntimeError(f"pnnx: exit code {done.returncode}, {_last(done.stderr)}")
    network = package.Net()
    network.opt.num_threads = 1
    for half in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
        setattr(network.opt, half, False)
    if network.load_param(str(folder / "n.param")) or network.load_model(str(folder / "n.bin")):
        raise RuntimeError("ncnn cannot load what pnnx wrote")

    def run(images: NDArray[Any]) -> NDArray[Any]:
        with network.create_extractor() as extractor:
            given = package.Mat(images[0]).clone()
            extractor.input("in0", given)
            return np.array(extractor.extract("out0")[1])[None]

    return run


def mnn(path: Path, folder: Path) -> Run:
    """MNN's converter, then a session by its names; run in full precision."""
    command = [str(Path(sys.executable).with_name("mnnconvert")), "-f", "ONNX", "--modelFile", str(path)]
    file = folder / "model.mnn"
    subprocess.run([*command, "--MNNModel", str(file), "--bizCode", "none"], check=True, capture_output=True)
    package = import_module("MNN")
    (name, output) = ("images", "logits")
    module = package.nn.load_module_from_file(str(file), [name], [output], precision_mode=1, backend=0)
    expressions = package.expr

    def run(images: NDArray[Any]) -> NDArray[Any]:
        given = expressions.const(images.copy(), list(images.shape), expressions.NCHW)
        found = expressions.convert(module.forward([given])[0], expressions.NCHW)
        return np.array(found.read())

    return run


def onnx2torch(path: Path, _folder: Path) -> Run:
    """onnx2torch, run by PyTorch."""
    network = import_module("onnx2torch").convert(str(path)).eval()

    def run(images: NDArray[Any]) -> NDArray[Any]:
        with torch.no_grad():
            found: NDArray[Any] = network(torch.from_numpy(images)).numpy()
        return found

    return run


PT2, ONNX = "model.pt2", "model.onnx"
TOOLS = {
    "onnxruntime-onnx": Tool("ONNX Runtime", ONNX, ("onnxruntime",), onnx_runtime),
    "openvino-pt2": Tool("OpenVINO", PT2, ("openvino",), openvino),
    "openvino-onnx": Tool("OpenVINO", ONNX, ("openvino",), openvino),
    "executorch-pt2": Tool("ExecuTorch", PT2, ("executorch",), executorch, how="XNNPACK"),
    "tvm-pt2": Tool("TVM", PT2, ("apache-tvm",), tvm),
    "coreml-pt2": Tool("Core ML", PT2, ("coremltools",), coreml, how="coremltools"),
    "litert-pt2": Tool("LiteRT", PT2, ("litert-torch", "ai-edge-litert"), litert, False, "litert-torch"),
    "iree-pt2": Tool("IREE", PT2, ("iree-base-compiler", "iree-base-runtime", "iree-turbine"), iree_pt2),
    "iree-onnx": Tool("IREE", ONNX, ("iree-base-compiler", "iree-base-runtime", "onnx"), iree_onnx),
    "ncnn-pt2": Tool("ncnn", PT2, ("pnnx", "ncnn"), ncnn, False, "pnnx"),
    "ncnn-onnx": Tool("ncnn", ONNX, ("pnnx", "ncnn"), ncnn, False, "pnnx"),
    "mnn-onnx": Tool("MNN", ONNX, ("MNN",), mnn),
    "onnx2torch-onnx": Tool("onnx2torch", ONNX, ("onnx2torch",), onnx2torch),
}


def found_by(name: str, exported: Path) -> dict[str, Any]:
    """Return what a tool makes of its file: a difference for each batch size, or why there is none."""
    tool = TOOLS[name]
    images, expected = _sample(exported)
    row: dict[str, Any] = {"version": tool.version}
    with tempfile.TemporaryDirectory() as folder:
        try:
            run = tool.load(exported / tool.file, Path(folder))
        except Exception as error:
            return row | {"refused": _words(error)}
        for batch in BATCHES:
            chosen = np.arange(batch) % len(images)
            try:
                row[f"batch {batch}"] = _difference(_all(run, images[chosen], tool.batches), expected[chosen])
            except Exception as error:
                row[f"batch {batch}"] = _words(error)
        row["other size"] = _other_size(run, exported, images[:1])
    return row


def _all(run: Run, images: NDArray[Any], together: bool) -> NDArray[Any]:
    if together:
        return run(images)
    return np.concatenate([run(images[place : place + 1]) for place in range(len(images))])


def _other_size(run: Run, exported: Path, image: NDArray[Any]) -> str:
    """Return how an image of twice the height and width is answered."""
    larger = np.tile(image, (1, 1, 2, 2))
    try:
        answer = run(larger)
    except Exception:
        return "refused"
    with torch.no_grad():
        expected = _module(exported / "modeling.py").load_model(exported)(torch.from_numpy(larger)).numpy()
    try:
        seen = _difference(answer, expected)
    except ValueError:
        return "answered wrongly"
    return "answered as the network does" if seen <= LIMIT else f"answered wrongly, by {seen:.1g}"


def _difference(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """Return the largest difference, relative to the largest value where that is beyond ±1."""
    if found.shape != expected.shape:
        raise ValueError(f"outputs {found.shape}, expected {expected.shape}")
    seen = float(np.abs(found - expected).max()) / max(1.0, float(np.abs(expected).max()))
    return math.inf if math.isnan(seen) else seen


def _sample(exported: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    inputs, outputs, _ = _module(exported / "verify.py").load_sample(exported / "sample.safetensors")
    return inputs[0].numpy(), outputs[0].numpy()


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _words(error: Exception) -> str:
    said = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
    return f"{type(error).__name__}: {_last(said.decode() if isinstance(said, bytes) else str(said))}"


def _last(said: str) -> str:
    """Return the line that says most of a tool's message: the first with `error`, else the last one."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or [""]
    return next((line for line in lines if "error" in line.lower()), lines[-1])[:300]


def in_a_process(name: str, exported: Path) -> dict[str, Any]:
    """Return what is found by a tool in a process of its own: some end theirs."""
    command = [sys.executable, "-W", "ignore", __file__, str(exported.resolve()), "--here", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return {"version": TOOLS[name].version, "refused": f"not done after {SECONDS} s"}
    marked = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not done.returncode and marked:
        found: dict[str, Any] = json.loads(marked[-1])
        return found
    said = f"its process ended with {done.returncode}: {_last(done.stderr)}"
    return {"version": TOOLS[name].version, "refused": said}


def operators_of(exported: Path) -> str:
    """Return the operators of an export's network, by which its table is called."""
    architecture = json.loads((exported / "config.json").read_text())["architecture"]
    return ", ".join(sorted({f"`{choice['op']}`" for choice in architecture["choices"]}))


def tables(networks: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the tables, one for each network."""
    for operators, results in networks.items():
        yield from table(operators, results)
        yield ""


def table(operators: str, results: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a table: a tool a line, a file a column."""
    yield f"| a network of {operators} | `model.pt2` | `model.onnx` |"
    yield "|---|---|---|"
    for title in dict.fromkeys(tool.title for tool in TOOLS.values()):
        cells, versions = {PT2: "–", ONNX: "–"}, []
        for name, tool in TOOLS.items():
            if tool.title == title and name in results:
                cells[tool.file] = _cell(results[name])
                versions.append(f"{tool.how} {results[name]['version']}".strip())
        if versions:
            yield f"| {title} {', '.join(dict.fromkeys(versions))} | {cells[PT2]} | {cells[ONNX]} |"


def _cell(row: dict[str, Any]) -> str:
    if "refused" in row:
        return f"refused by the tool: `{row['refused'][:160]}`"
    seen = {batch: row[f"batch {batch}"] for batch in BATCHES}
    numbers = [value for value in seen.values() if not isinstance(value, str)]
    largest = max(numbers, default=math.inf)
    if not numbers:
        return f"refused by the tool: `{seen[BATCHES[0]][:160]}`"
    words = f"right ({largest:.0e})" if largest <= LIMIT else f"**wrong, by {largest:.2g}**"
    refused = [str(batch) for batch, value in seen.items() if isinstance(value, str)]
    batches = f"; batch {' and '.join(refused)}: refused" if refused else ""
    return f"{words}{batches}; 16 × 16: {row['other size']}"


def main() -> None:
    """Run what is installed here, keep it, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exported", type=Path, nargs="?", help="a folder of `fusion-nas export --format pt2,onnx`")
    parser.add_argument("--only", nargs="+", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--here", choices=TOOLS, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, default=RESULTS)
    parser.add_argument("--page", action="store_true", help="only write the table of docs/deployment.md")
    parser.add_argument("--needs", action="store_true", help="only print what each tool needs")
    asked = parser.parse_args()
    if asked.here:
        print("\n" + json.dumps(found_by(asked.here, asked.exported)))
        return
    if asked.needs:
        print("\n".join(f"{name}: pip install {' '.join(tool.packages)}" for name, tool in TOOLS.items()))
        return
    networks = json.loads(asked.json.read_text()) if asked.json.exists() else {}
    if not asked.page:
        results = networks.setdefault(operators_of(asked.exported), {})
        for name in (name for name in asked.only if TOOLS[name].version is not None):
            results[name] = in_a_process(name, asked.exported)
            print(name, results[name], flush=True)
            asked.json.write_text(json.dumps(networks, indent=1) + "\n")
    marked = re.compile(r"(<!-- tools -->\n).*?(<!-- end of tools -->)", re.DOTALL)
    lines = "\n".join(tables(networks))
    PAGE.write_text(marked.sub(lambda found: found[1] + lines + found[2], PAGE.read_text()))


if __name__ == "__main__":
    main()
