"""What the model card says of the formats, and `requirements.txt`, which has what they need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reports.exporting.documents import Selection
from reports.exporting.formats import Written
from reports.exporting.int8_record import WrittenInt8
from reports.exporting.simplified_card import table
from reports.runtimes.program import MAX_BATCH
from reports.runtimes.runtime import installed_version
from reports.shipped import verify

__all__ = ["format_files", "format_limits", "formats_section", "named", "requirements", "runners"]

SECTION = """\
## Formats

{table}

{compared}{folded}
{usage}
"""
COMPARED = """\
Each that has a difference was loaded again and compared with the trained network; a difference is relative to the
largest output where that is beyond ±1."""
NONE = "No format was asked for: `modeling.py` and its weights are the network.\n"
USAGE = """
```python
from {module} import load

run = load("{file}")
outputs = run(inputs)  # {arrays}, prepared by `preprocess`
```
"""


def formats_section(selection: Selection) -> str:
    """Return a section on the formats."""
    if not selection.formats:
        return f"## Formats\n\n{NONE}"
    rows = [(f"`{one.file}`", str(one.format), *_compared(one)) for one in selection.formats]
    return SECTION.format(
        table=table(("file", "runtime", "largest difference", "at batch"), rows),
        compared=COMPARED,
        folded=_folded(selection),
        usage=_usage(selection),
    )


def format_limits(selection: Selection) -> str:
    """Return what the formats take: batches, and images of which size."""
    single = [one.file for one in selection.formats if not one.format.runtime.batches]
    several: dict[int, list[str]] = {}
    for one in selection.formats:
        if one.format.runtime.batches:
            several.setdefault(one.format.runtime.largest_batch or MAX_BATCH, []).append(one.file)
    lines = []
    for largest, files in several.items():
        takes = "takes" if len(files) == 1 else "take"
        lines.append(f"- {named(files)} {takes} batches of 1 to {largest:,} images.")
    if single:
        lines.append(f"- {named(single)} {'takes' if len(single) == 1 else 'take'} one image at a time.")
    if any(one.difference is not None for one in selection.formats):
        which = "a format" if all(one.difference is not None for one in selection.formats) else "a format that was run"
        lines.append(f"- Images of another size {which} refuses, or answers as the network itself does.")
    return "".join(f"{line}\n" for line in lines)


def format_files(selection: Selection) -> Iterator[tuple[str, str]]:
    """Yield the files of the formats and what they are."""
    for one in selection.formats:
        runtime = one.format.runtime
        yield one.file, f"network and weights for {runtime.title}"
        for further in runtime.further_files:
            yield further, f"belongs to `{one.file}`"
        if one.format.runner is not None:
            yield one.format.runner, f"runs `{one.file}`"


def runners(selection: Selection) -> list[str]:
    """Return the names of the files that run formats."""
    return [one.format.runner for one in selection.formats if one.format.runner is not None]


def requirements(formats: Sequence[Written], int8: Sequence[WrittenInt8] = ()) -> str:
    """Return `requirements.txt`: older versions may not read what these wrote."""
    packages = dict.fromkeys(["torch"])
    for runtime in (*(one.format.runtime for one in formats), *(one.runtime for one in int8)):
        packages |= dict.fromkeys(runtime.packages if runtime.runner is not None else ())
    lines = [f"{name}{_at_least(name)}" for name in packages]
    return "\n".join([lines[0], "safetensors>=0.5", "numpy>=1.26", *lines[1:]]) + "\n"


def named(files: Sequence[str]) -> str:
    """Return file names as a list for Markdown."""
    return _listed([f"`{file}`" for file in files])


def _compared(written: Written) -> tuple[str, str]:
    if written.difference is None:
        return "not run here", ""
    return f"{written.difference:.1e}", ", ".join(map(str, written.compared))


def _at_least(name: str) -> str:
    version = installed_version(name)
    return f">={version.partition('+')[0]}" if version else ""


def _usage(selection: Selection) -> str:
    """Return how the first format that has a runner is run."""
    inputs = 1 + len(selection.data.get("other_shapes", ()))
    arrays = "a numpy array" if inputs == 1 else f"{inputs} numpy arrays, in the network's order"
    for one in selection.formats:
        if one.format.runner is not None:
            module = one.format.runner.removesuffix(".py")
            return USAGE.format(module=module, file=one.file, arrays=arrays)
    return ""


def _folded(selection: Selection) -> str:
    if selection.folded is None:
        return ""
    return f" In these files: {selection.folded}; `modeling.py` and `{verify.WEIGHTS}` have them as they were trained."


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
