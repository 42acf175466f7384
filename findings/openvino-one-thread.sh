#!/usr/bin/env bash
# On one thread OpenVINO answers an input that it refuses on several: with the outputs of the request before.
#
# Library: openvino 2026.4.1 (CPU), a model whose batch is open and whose image size is not.
# What happens: images of another size, or more channels, end with an exception. With INFERENCE_NUM_THREADS=1 that
#   exception is lost: `infer` returns, and gives what the last request gave, in its shape.
# Seen: default: refused; INFERENCE_NUM_THREADS=1: returned, equal to the outputs before.
# Matters: reports/shipped/run_openvino.py compares shapes itself; latencies are measured on one thread.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openvino==2026.4.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import openvino
from openvino import opset13 as ops

print(f"openvino {openvino.__version__}")
images = ops.parameter(openvino.PartialShape([openvino.Dimension(1, 64), 1, 8, 8]), np.float32)
model = openvino.Model([ops.relu(images)], [images])


def answer(settings):
    request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
    before = request.infer([np.full((3, 1, 8, 8), 2, np.float32)]).to_tuple()[0].copy()
    try:
        after = request.infer([np.ones((1, 1, 16, 16), np.float32)]).to_tuple()[0]
    except Exception:
        return "refused"
    return f"returned {after.shape}, {'equal to' if np.array_equal(before, after) else 'other than'} the outputs before"


seen = answer({}), answer({"INFERENCE_NUM_THREADS": 1})
print(f"default: {seen[0]}\nINFERENCE_NUM_THREADS=1: {seen[1]}")
if seen != ("refused", "returned (3, 1, 8, 8), equal to the outputs before"):
    sys.exit("changed: it is refused on one thread, too, or answered on several")
PYTHON
