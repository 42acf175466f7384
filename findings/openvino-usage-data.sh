#!/usr/bin/env bash
# Importing OpenVINO sends usage data and writes files into the home folder, unasked.
#
# Library: openvino 2026.4.1 with openvino-telemetry 2025.2.0, which it requires.
# What happens: `import openvino` is enough. As long as nobody has declined (`opt_in_out --opt_out`) it counts as
#   consent: a client id and counts are written below ~/intel, and an event goes to Google Analytics; `convert_model` sends further
#   ones. It does not where the environment has CI=true, and not where the package openvino_telemetry cannot be imported.
# Seen: one event on import, consent True, two files (id, counts); with CI=true none, False, none; without the package it works as
#   well.
# Matters: a search that measures latency in OpenVINO would send for every worker; reports/runtimes/openvino.py keeps it
#   from doing so.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    openvino==2026.4.1 openvino-telemetry==2025.2.0 numpy==2.4.6

# Events are kept in a list in place of being sent.
cat >"$folder/seen.py" <<'PYTHON'
from pathlib import Path

from openvino_telemetry import main
from openvino_telemetry.utils.sender import TelemetrySender

sent = []
TelemetrySender.send = lambda self, backend, message: sent.append(message)

import openvino  # noqa: E402

print(len(sent), main.Telemetry().consent, len([path for path in Path.home().rglob("*") if path.is_file()]))
PYTHON
seen() { env -u CI HOME="$(mktemp -d -p "$folder")" "$@" "$folder/venv/bin/python" -W ignore "$folder/seen.py"; }

plain=$(seen) ci=$(seen CI=true)
without=$(HOME="$folder" "$folder/venv/bin/python" -W ignore -c '
import sys
sys.modules["openvino_telemetry"] = None
import openvino
print(callable(openvino.convert_model))')
echo "events, consent, files after import openvino: $plain; with CI=true: $ci; without its package: $without"
[ "$plain" = "1 True 2" ] && [ "$ci" = "0 False 0" ] && [ "$without" = "True" ] || { echo "changed" >&2; exit 1; }
