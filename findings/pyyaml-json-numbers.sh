#!/usr/bin/env bash
# Numbers that Python's json writes and PyYAML reads as text.
#
# Library: PyYAML 6.0.3 (YAML 1.1), Python's json.
# What happens: JSON counts as a subset of YAML, which holds for YAML 1.2. In YAML 1.1 a float needs a dot, so a number
#   such as 1e-05, which is how `json.dumps` writes 0.00001, comes back as a `str`. 1.5e-07 and 0.0001 come back as
#   numbers: whether a learning rate survives depends on its digits. 012 is 10, and 1:30 is 90.
# Seen: 0.0001 and 1.5e-07 the same; 1e-05, 1e-06, 1e+16 text.
# Matters: a config written by a program as JSON, or by hand as 1e-3. search/config/document.py reads numbers as they are
#   meant; whoever reads a config with PyYAML alone does not. What yaml.safe_dump writes (1.0e-05) is read back.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyyaml==6.0.3
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import json
import sys

import yaml

print(f"PyYAML {yaml.__version__}")
text = []
for value in (1e-4, 1e-5, 1e-6, 1.5e-7, 1e16):
    written = json.dumps({"lr": value})
    read = yaml.safe_load(written)["lr"]
    print(f"{written} is read as {read!r}")
    if isinstance(read, str):
        text.append(value)
    if yaml.safe_load(yaml.safe_dump({"lr": value}))["lr"] != value:
        sys.exit("changed: what PyYAML writes it does not read back")
odd = yaml.safe_load("[012, 1:30]")
print(f"012 and 1:30 are read as {odd}")
if text != [1e-5, 1e-6, 1e16] or odd != [10, 90]:
    sys.exit("changed: PyYAML reads these numbers in another way")
PYTHON
