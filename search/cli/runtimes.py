"""`fusion-nas runtimes`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from search.cli.app import AsJson, app

if TYPE_CHECKING:
    from reports.runtimes import Runtime


@app.command()
def runtimes(as_json: AsJson = False) -> None:
    """List the runtimes that latency can be measured in and networks can be exported to.

    Of each: its version here, or what installs it; the version that every operator was last compared with; the
    precisions in which it can be timed; what it reads.

    Example: fusion-nas runtimes --json
    """
    from reports.runtimes import RUNTIMES
    from search.cli.console import print_json

    found = [_description(name, RUNTIMES[name]) for name in RUNTIMES]
    if as_json:
        print_json({"runtimes": found})
    else:
        _print(found)


def _description(name: str, runtime: Runtime) -> dict[str, Any]:
    missing = runtime.missing(to_run=runtime.runner is not None)
    return {
        "name": name,
        "title": runtime.title,
        "version": runtime.version,
        "installed": not missing,
        "verified": runtime.verified or None,
        "install": runtime.installation if missing else None,
        "runs_here": runtime.runner is not None,
        "precisions": _precisions(runtime),
        "format": runtime.format or None,
        "file": runtime.file,
    }


def _precisions(runtime: Runtime) -> list[str]:
    from typing import get_args

    from reports.runtimes import Precision

    return [name for name in get_args(Precision) if name in runtime.precisions]


def _print(found: list[dict[str, Any]]) -> None:
    from search.cli.console import print_table, print_text

    rows = [
        (
            entry["name"],
            entry["title"],
            entry["version"] if entry["installed"] else "no",
            entry["verified"] or "–",
            ", ".join(entry["precisions"]) if entry["runs_here"] else "not on this machine",
            f"{entry['format']} ({entry['file']})" if entry["format"] else "–",
        )
        for entry in found
    ]
    print_table(("runtime", "title", "installed", "verified with", "timed in", "export --format"), (), rows)
    print_text("")
    for entry in found:
        if not entry["installed"]:
            print_text(f"{entry['title']}: {entry['install']}")
    print_text(
        "\nA config names one as `latency: {runtime: openvino}`, or several as objectives: `latency@openvino`. "
        "A user-defined one is `module:Class`."
    )
