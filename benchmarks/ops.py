"""What a fusion costs in time and memory, operator by operator.

What it shows
    Every registered operator on two maps (B, C, 32, 32), C = 64, 128, 256, each reduction ratio, forward and
    forward with backward, on the CPU (float32) and, where there is one, on a GPU (bfloat16, channels-last),
    beside a 1×1 and a 3×3 convolution. A map has as many bytes at every C: B is 32 on the CPU and 512 on a GPU
    at C = 64, half of it at 128. Forward alone is without gradients, as in validation. Times are given
    - in milliseconds, the least of several rounds; on the CPU with one thread it is processor time, so that
      what else runs on the machine counts little, and freed memory is kept, as it is in a long training;
    - as multiples of the sum's;
    - as multiples of the floor: compulsory traffic (both inputs read, the output written; twice that with
      backward, as gradients go the other way) over the bandwidth of a copy measured in the same run;
    - `speed`: how many times as long a plain transcription of the formula takes with the same weights, the two
      timed in turns; it is first checked to give the same values;
    - `memory`: how many times as many bytes the transcription keeps for its backward pass.
    With `--compile` (always on a GPU): `fusion_ops.compiled()`, its gain, the seconds until its first result,
    and after how many steps that is paid back.

Result (`results/ops-cpu.json`: one thread of a CPU core beside other work, torch 2.13; no GPU was measured)
    Forward and backward over all widths and ratios, the transcription takes 1.01–1.10 times as long as aff and iaff
    and keeps 1.20–1.28 times the bytes; asymbi 1.03–1.19 (1.67–1.94), eca 1.15–1.22, sk and split_attention
    1.09–1.34, bifpn 1.97–2.06, parsenet 2.04–2.13 (3.90–3.93). Where both do the same (sum, concat, modulate with
    backward) or nearly (asff), it reads 0.93–1.05: that is the noise. aff is 42–80 sums, a 3×3 convolution up to 400.
    The nine operators of 2026 (`results/ops-cpu-further.json`, --quick, C = 64, beside much other work): forward and
    backward scaled takes 5 sums, gated 6–8, softmax 9, max 11, coord 15–18, attnres 22, gate 24–25, product 25, cbam
    30–38, where aff takes 35–37. The transcription takes 1.6 times as long as attnres and keeps 32 times the bytes,
    3.2 times as long as max, 1.1 times as gate (2.3–2.5); for scaled, gated, softmax, product, cbam and coord it is
    what they do.
    Compiled on the CPU (`results/ops-cpu-compile.json`), all but bifpn and modulate get slower: 0.5–0.95 of eager.

How to run
    python benchmarks/ops.py [--quick] [--compile] [--only aff gated] [--channels 64] [--threads 1] [--json ops.json]
"""

from __future__ import annotations

import argparse
import ctypes
import json
import math
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transcriptions import TRANSCRIPTIONS, Transcription

import fusion_ops
from fusion_ops import FusionChoice

CHANNELS = (64, 128, 256)
SIZE = (32, 32)


class FirstOnly(nn.Module):
    """A convolution of the first input, for comparison."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel, padding=kernel // 2)

    def forward(self, x: Tensor, _y: Tensor) -> Tensor:
        """Return the convolution."""
        return self.conv(x)


class Bench:
    """One device: its bandwidth, and how things are timed there.

    Args:
        device: `cpu` or `cuda`.
        images: Images a step at 64 channels; a map of more channels has fewer, and as many bytes.
        rounds: How often everything is timed; the least counts.
        seconds: How long one timing lasts at least.
    """

    def __init__(self, device: str, images: int, rounds: int, seconds: float) -> None:
        self.device, self.images, self.rounds, self.seconds = device, images, rounds, seconds
        self.dtype = torch.bfloat16 if device == "cuda" else torch.float32
        self.clock = time.process_time if device == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
        self.bandwidth = self._bandwidth()

    def wait(self) -> None:
        """Wait for the device."""
        if self.device == "cuda":
            torch.cuda.synchronize()

    def once(self, step: Callable[[], Any]) -> float:
        """Return the seconds of one step, from as many as fill the time."""
        steps, spent = 0, 0.0
        self.wait()
        started = self.clock()
        while steps < 3 or spent < self.seconds:
            step()
            steps += 1
            self.wait()
            spent = self.clock() - started
        return spent / steps

    def least(self, *steps: Callable[[], Any]) -> list[float]:
        """Return the least seconds of each step, all of them in turns."""
        for step in steps:
            step()
        return [min(times) for times in zip(*([self.once(s) for s in steps] for _ in range(self.rounds)), strict=True)]

    def _bandwidth(self) -> float:
        """Return bytes a second of a copy, read and written, far larger than any cache."""
        source = torch.randn((1 if self.device == "cpu" else 8) * 2**25, device=self.device)
        target = torch.empty_like(source)
        (seconds,) = self.least(lambda: target.copy_(source))
        return 2 * source.numel() * source.element_size() / seconds

    def maps(self, channels: int) -> list[Tensor]:
        """Return two maps that want gradients."""
        layout = torch.channels_last if self.device == "cuda" else torch.contiguous_format
        batch = max(1, self.images * CHANNELS[0] // channels)
        made = (torch.randn(batch, channels, *SIZE, device=self.device) for _ in range(2))
        return [x.to(self.dtype, memory_format=layout).requires_grad_() for x in made]

    def module(self, op: nn.Module) -> nn.Module:
        """Return the module as it is trained on this device."""
        layout = torch.channels_last if self.device == "cuda" else torch.contiguous_format
        return op.to(self.device, self.dtype, memory_format=layout)  # type: ignore[call-overload, no-any-return]


def backward(fuse: Callable[[], Tensor], gradient: Tensor, wanted: list[Tensor]) -> Callable[[], Any]:
    """Return a step forward and backward."""
    return lambda: torch.autograd.grad(fuse(), wanted, gradient)


def kept(fuse: Callable[[], Tensor], given: set[int]) -> int:
    """Return the bytes of distinct storages that autograd keeps, without those that are given anyway."""
    storages: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in given:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        fused = fuse()
    del fused
    return sum(storages.values())


def require_equal(value: Tensor, reference: Tensor, tolerance: float) -> None:
    """Check that ‖value − reference‖ / ‖reference‖ is within a tolerance; single bf16 values may be far off."""
    error = float((value.detach().double() - reference.double()).norm() / reference.double().norm())
    if not error <= tolerance:
        raise AssertionError(f"the transcription differs by {error:.2g}, more than {tolerance}")


def measured(bench: Bench, op: nn.Module, plain: Transcription | None, channels: int) -> dict[str, Any]:
    """Return times and memory of one module and of its transcription."""
    x, y = bench.maps(channels)
    wanted = [x, *([] if isinstance(op, FirstOnly) else [y]), *op.parameters()]
    forms: list[Callable[[], Tensor]] = [lambda: op(x, y)]
    if plain is not None:
        forms.append(lambda: plain(op, x, y))
        require_equal(forms[0](), forms[1](), 0.02 if bench.dtype == torch.bfloat16 else 1e-5)
    gradient = torch.randn_like(x)
    with torch.no_grad():
        forward = bench.least(*forms)
    both = bench.least(*(backward(form, gradient, wanted) for form in forms))
    given = {t.untyped_storage().data_ptr() for t in (x, y, *op.parameters(), *op.buffers())}
    memory = [kept(form, given) for form in forms]
    floor = 3 * x.numel() * x.element_size() / bench.bandwidth
    row = {
        "forward_ms": 1e3 * forward[0],
        "both_ms": 1e3 * both[0],
        "forward_floors": forward[0] / floor,
        "both_floors": both[0] / (2 * floor),
        "kept_bytes": memory[0],
    }
    if plain is not None:
        row |= {
            "forward_speed": forward[1] / forward[0],
            "both_speed": both[1] / both[0],
            "plain_kept_bytes": memory[1],
        }
    return row


def compiled(bench: Bench, op: nn.Module, channels: int, eager: float) -> dict[str, Any]:
    """Return what compiling the operator gains and what it takes."""
    x, y = bench.maps(channels)
    wanted = [x, y, *op.parameters()]
    step = backward(lambda: op(x, y), torch.randn_like(x), wanted)
    torch._dynamo.reset()
    with fusion_ops.compiled():
        started = time.perf_counter()
        step()
        bench.wait()
        seconds = time.perf_counter() - started
        (both,) = bench.least(step)
    gain = eager - both
    return {
        "compiled_both_ms": 1e3 * both,
        "compiled_speed": eager / both,
        "compile_seconds": seconds,
        "break_even_steps": math.ceil(seconds / gain) if gain > 0 else None,
    }


def subjects(reductions: Sequence[int], only: Sequence[str]) -> Iterator[tuple[str, int | None]]:
    """Yield what is measured: the sum first, as all are compared with it."""
    yield "sum", None
    yield from (("conv 1×1", None), ("conv 3×3", None))
    for name in only:
        if name != "sum":
            yield from ((name, r) for r in (reductions if fusion_ops.operator(name).reduces else (None,)))


def table(
    bench: Bench, widths: Sequence[int], reductions: Sequence[int], only: Sequence[str], *, compile_: bool
) -> list[dict[str, Any]]:
    """Return one row a width, operator and ratio."""
    rows: list[dict[str, Any]] = []
    for channels in widths:
        for name, r in subjects(reductions, only):
            plain = TRANSCRIPTIONS.get(name)
            if name.startswith("conv"):
                op: nn.Module = FirstOnly(channels, 1 if "1" in name else 3)
            else:
                op = fusion_ops.build(FusionChoice(name, r), (channels, channels), channels)
            op = bench.module(op)
            row = {"device": bench.device, "op": name, "r": r, "channels": channels}
            row |= measured(bench, op, plain, channels)
            if name == "sum":
                least = row["forward_ms"], row["both_ms"]
            row |= {"forward_sums": row["forward_ms"] / least[0], "both_sums": row["both_ms"] / least[1]}
            if compile_ and plain is not None and name != "sum":
                row |= compiled(bench, op, channels, row["both_ms"] / 1e3)
            rows.append(row)
            print(line(row), flush=True)
    return rows


HEADER = (
    f"{'operator':<20}{'C':>4} | {'fwd ms':>8}{'× sum':>7}{'× floor':>8}{'speed':>7} | {'f+b ms':>8}{'× sum':>7}"
    f"{'× floor':>8}{'speed':>7} | {'kept MB':>8}{'memory':>7} | {'compiled':>8}{'first s':>8}{'even at':>8}"
)


def line(row: dict[str, Any]) -> str:
    """Return a row as it is printed."""

    def number(key: str, form: str, width: int) -> str:
        value = row.get(key)
        return f"{'–' if value is None else format(value, form):>{width}}"

    name = row["op"] + (f" r={row['r']}" if row["r"] else "")
    memory = "–"
    if row.get("plain_kept_bytes", 0) >= 2**16 <= row["kept_bytes"]:
        memory = f"{row['plain_kept_bytes'] / row['kept_bytes']:.2f}"
    return (
        f"{name:<20}{row['channels']:>4} | {number('forward_ms', '.2f', 8)}{number('forward_sums', '.1f', 7)}"
        f"{number('forward_floors', '.1f', 8)}{number('forward_speed', '.2f', 7)} | {number('both_ms', '.2f', 8)}"
        f"{number('both_sums', '.1f', 7)}{number('both_floors', '.1f', 8)}{number('both_speed', '.2f', 7)} | "
        f"{row['kept_bytes'] / 2**20:>8.1f}{memory:>7} | {number('compiled_speed', '.2f', 8)}"
        f"{number('compile_seconds', '.1f', 8)}{number('break_even_steps', 'd', 8)}"
    )


def keep_freed_memory() -> None:
    """Let glibc keep what is freed: page faults of fresh memory would otherwise be most of a CPU's time."""
    if platform.libc_ver()[0] == "glibc":
        libc, (trim_threshold, mmap_threshold) = ctypes.CDLL(None), (-1, -3)
        libc.mallopt(mmap_threshold, 2**25)
        libc.mallopt(trim_threshold, 2**31 - 1)


def processor() -> str:
    """Return the processor's name."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return next((text.split(":", 1)[1].strip() for text in lines if text.startswith("model name")), platform.machine())


def written(out: dict[str, Any]) -> str:
    """Return the results as JSON, a row a line, to four digits."""

    def short(value: Any) -> Any:
        return float(f"{value:.4g}") if isinstance(value, float) else value

    devices = []
    for name, found in out["devices"].items():
        rows = ",\n".join(json.dumps({key: short(value) for key, value in row.items()}) for row in found["rows"])
        head = {key: short(value) for key, value in found.items() if key != "rows"}
        devices.append(f'"{name}": {json.dumps(head)[:-1]}, "rows": [\n{rows}\n]}}')
    rest = {key: value for key, value in out.items() if key != "devices"}
    return f'{json.dumps(rest)[:-1]}, "devices": {{{", ".join(devices)}}}}}\n'


def hardware(threads: int) -> dict[str, Any]:
    """Return what everything ran on."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "cpu": processor(),
        "threads": threads,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "gpu": gpu,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Times of every fusion operator.")
    parser.add_argument("--quick", action="store_true", help="two ratios, small batches, few rounds: a minute or two")
    parser.add_argument("--compile", action="store_true", help="measure compiled operators on the CPU, too")
    parser.add_argument("--only", nargs="+", default=fusion_ops.names(), choices=fusion_ops.names(), metavar="OPERATOR")
    parser.add_argument("--channels", type=int, nargs="+", default=CHANNELS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, default=Path("ops.json"))
    args = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    reductions = (4, 16) if args.quick else (2, 4, 8, 16)
    out: dict[str, Any] = {"hardware": hardware(args.threads), "size": SIZE, "devices": {}}
    for device in ("cpu", *(("cuda",) if torch.cuda.is_available() else ())):
        images = (8 if args.quick else 32) if device == "cpu" else (64 if args.quick else 512)
        bench = Bench(device, images, rounds=5 if args.quick else 7, seconds=0.02 if args.quick else 0.2)
        setting = f"{device}, {images} images at C = {CHANNELS[0]}, {bench.dtype}"
        print(f"\n{setting}, copy {bench.bandwidth / 1e9:.1f} GB/s\n{HEADER}")
        with nullcontext() if device == "cpu" else torch.cuda.device(0):
            rows = table(bench, args.channels, reductions, args.only, compile_=args.compile or device == "cuda")
        out["devices"][device] = {"images": images, "bytes_per_second": bench.bandwidth, "rows": rows}
    args.json.write_text(written(out), encoding="utf-8")
    print(f"\nwritten: {args.json}")


if __name__ == "__main__":
    main()
