"""Converters in a process of their own.

Some change PyTorch when they are imported, some print what they do, and one that crashes takes its process with it. So
they get the exported program as a file, and say by another one that they are done.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path

import torch
from torch.export import ExportedProgram

from fusion_ops.errors import RunError
from reports.scratch import scratch_folder

__all__ = ["convert_apart"]

ROOT = Path(__file__).parents[2]


def convert_apart(module: str, program: ExportedProgram, path: Path) -> None:
    """Call a module's `write(program, path)` in another process.

    Args:
        module: Its name; it imports the converter within `write` alone.
        program: What is converted.
        path: The file that is written.

    Raises:
        RunError: It failed; the message has its last line.
    """
    with scratch_folder() as folder:
        given = folder / "program.pt2"
        torch.export.save(program, given)
        command = [sys.executable, "-P", "-W", "ignore", "-m", __name__, module, str(given), str(path.resolve())]
        found = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        done = subprocess.run(command, env=os.environ | {"PYTHONPATH": found}, capture_output=True, text=True)
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        ended = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        why = said[-1] if done.returncode > 0 and said else f"its process ended with {ended}"
        raise RunError(f"The converter of {path.name} failed: {why}.")


def main(module: str, program: str, path: str) -> None:
    """Convert the program in a file."""
    warnings.simplefilter("ignore")
    import_module(module).write(torch.export.load(program), Path(path))


if __name__ == "__main__":
    main(*sys.argv[1:])
