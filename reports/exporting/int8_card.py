"""What the model card says of int8."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from reports.exporting.int8_record import WrittenInt8
from reports.exporting.simplified_card import table
from reports.measures import MEASURES

__all__ = ["int8_files", "int8_section"]

SECTION = """\
## int8

{table}

{quantized}

Ranges were calibrated on {images} training images. `verify.py` compares an int8 file with what it gave itself when it
was exported: on another processor it may round otherwise, by no more than it differs from float32.

"""


def int8_section(written: Sequence[WrittenInt8], float32: Mapping[str, float] | None) -> str:
    """Return a section of the model card; empty where nothing was quantized.

    Args:
        written: The int8 files.
        float32: The validation measures of the network as it was trained.
    """
    if not written:
        return ""
    rows = [
        (f"`{one.file}`", one.runtime.title, *_qualities(one, float32 or {}), f"{one.error:.2g}") for one in written
    ]
    names = [MEASURES[name].label for name in _named(written, float32 or {})]
    heads = [f"{name}, validation (float32)" for name in names]
    said = dict.fromkeys(f"{one.quantized['words']}." for one in written)
    return SECTION.format(
        table=table(("file", "runtime", *heads, "largest difference"), rows),
        quantized=" ".join(said),
        images=written[0].images,
    )


def int8_files(written: Sequence[WrittenInt8]) -> Iterator[tuple[str, str]]:
    """Yield the int8 files and what they are."""
    for one in written:
        yield one.file, f"the network in int8 for {one.runtime.title}"
        for further in one.further_files:
            yield further, f"belongs to `{one.file}`"
        yield one.runner, f"runs `{one.file}`"
        yield one.sample, f"what `{one.file}` gave for the sample"


def _named(written: Sequence[WrittenInt8], float32: Mapping[str, float]) -> list[str]:
    """Return the measures that are known of all."""
    return [name for name in float32 if name in MEASURES and all(name in (one.validation or {}) for one in written)]


def _qualities(one: WrittenInt8, float32: Mapping[str, float]) -> Iterator[str]:
    for name in _named([one], float32):
        measure = MEASURES[name]
        yield f"{measure.format((one.validation or {})[name])} ({measure.format(float32[name])})"
