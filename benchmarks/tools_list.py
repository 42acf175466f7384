"""Tools that `tools.py` compares: how each reads `model.pt2` or `model.onnx`, as its own documentation says."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tools_words import words_of

ROOT = Path(__file__).parents[1]
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
    module = context.modules["module"]
    name = next(name for name in module.vm_module.function_names if not name.startswith("__") and "$" not in name)
    return lambda images: np.array(module[name](images))


def ncnn(path: Path, folder: Path) -> Run:
    """By pnnx, of either file, in full precision; run by ncnn without its half precision."""
    images = sample(path.parent)[0][:1]
    pnnx, package = import_module("pnnx"), import_module("ncnn")
    shape = ",".join(map(str, images.shape))
    files = {"ncnnparam": "n.param", "ncnnbin": "n.bin", "ncnnpy": "n.py", "pnnxparam": "p.param", "pnnxbin": "p.bin"}
    settings = [f"{key}={name}" for key, name in (files | {"pnnxpy": "p.py", "pnnxonnx": "p.onnx"}).items()]
    command = [pnnx.EXEC_PATH, str(path.resolve()), f"inputshape=[{shape}]f32", "fp16=0", *settings]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode or not (folder / "n.param").is_file():
        raise RuntimeError(f"pnnx: exit code {done.returncode}, {words_of(done.stderr)}")
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
    """onnx2torch, run by PyTorch.

    It imports torchvision, which on Linux is mostly built for CUDA: beside a PyTorch without CUDA the operations in C++
    that it names on import cannot be loaded. Then two are declared, without code; no network here has them.
    """
    try:
        import_module("torchvision")
    except RuntimeError:  # operator torchvision::nms does not exist
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    network = import_module("onnx2torch").convert(str(path)).eval()

    def run(images: NDArray[Any]) -> NDArray[Any]:
        with torch.no_grad():
            found: NDArray[Any] = network(torch.from_numpy(images)).numpy()
        return found

    return run


def sample(exported: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the images that an export holds, and what its network gives for them."""
    inputs, outputs, _ = module_at(exported / "verify.py").load_sample(exported / "sample.safetensors")
    return inputs[0].numpy(), outputs[0].numpy()


def module_at(path: Path) -> Any:
    """Return a Python file of an export as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
    "onnx2torch-onnx": Tool("onnx2torch", ONNX, ("onnx2torch", "torchvision"), onnx2torch),
}
