# Two commands do everything on a fresh machine with Python 3.11 and make:
#   make demo     search, report and export on real handwritten digits
#   make test     the tests
# Each creates .venv and installs what is missing, once. Further ones:
#   make check    style, types, layers
#   make faults   whole runs: of unusual networks, and such that lose a worker, the driver, a node, the disk: fifteen minutes
#   make runtimes every operator in ExecuTorch, Core ML, LiteRT, ncnn and TVM, each in an environment of its own
#   make node     the packages of npm that tests of the report need, where npm is
#   make plotly   the report's copy of Plotly, of the version for which the installed package writes figures
#   make soak     half an hour of them: twenty kills in one run, exhausted memory, every space and data set

PYTHON ?= python3
BIN := .venv/bin
RUN := runs/demo
PACKAGES := fusion_ops spaces reports search

.PHONY: help install packages node plotly demo test faults soak runtimes runtimes-table check format clean

help:
	@grep -E '^#' Makefile | sed 's/^# \{0,1\}//'

# The stamp is newer than both files when the installation matches them.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

install: .venv/installed

# What the tests need of the system: ss, a PostgreSQL server, a browser. As root, on Debian and its like.
packages:
	apt-get update -qq
	apt-get install -y -qq iproute2 postgresql chromium

# The checks of the page for people who cannot see it. Tests that need them are skipped without npm, with a reason.
tests/node/installed: tests/node/package-lock.json
	@if command -v npm >/dev/null; then npm ci --prefix tests/node --silent && touch $@; else echo "no npm: some tests of the report are skipped"; fi

node: tests/node/installed

plotly: install
	npm install --prefix tests/node --silent --save-dev plotly.js-basic-dist-min@$$($(BIN)/python -c 'from plotly.offline import get_plotlyjs_version as v; print(v())')
	cp tests/node/node_modules/plotly.js-basic-dist-min/plotly-basic.min.js reports/assets/
	cp tests/node/node_modules/plotly.js-basic-dist-min/LICENSE reports/assets/plotly-LICENSE.txt

demo: install
	rm -rf $(RUN)
	$(BIN)/fusion-nas launch examples/digits.yaml --run-dir $(RUN)
	$(BIN)/fusion-nas export $(RUN) -o $(RUN)/export
	cd $(RUN)/export && ../../../$(BIN)/python verify.py
	@echo "Open $(RUN)/report.html in a browser."

# Hundreds of processes follow, which may be forbidden to keep what they compile.
test: install node
	$(BIN)/python -m compileall -q $(PACKAGES)
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

faults: install
	$(BIN)/python -m pytest -m faults -n 2 --dist loadfile tests/search

soak: install
	$(BIN)/python -m pytest -m soak

# An environment each: LiteRT, for one, pins an older pydantic than constraints.txt. ExecuTorch brings coremltools.
# LiteRT brings anyio, too, whose plugin uses what pytest warns of.
runtimes: $(addprefix runtime-,executorch litert ncnn tvm)

runtime-%:
	$(PYTHON) -m venv .runtimes/$*
	.runtimes/$*/bin/pip install --quiet --disable-pip-version-check -c constraints-runtimes.txt $(RUNTIME_$*) torch numpy scipy safetensors pandas pytest
	PYTHONPATH=. .runtimes/$*/bin/python -m pytest -p no:anyio -m runtimes tests/runtimes -k '$(or $(ALSO_$*),$*)'

# What docs/deployment.md says of every operator in every runtime, measured anew.
runtimes-table: install $(addprefix table-,executorch litert ncnn tvm)
	$(BIN)/python benchmarks/runtimes.py

table-%: runtime-%
	PYTHONPATH=. .runtimes/$*/bin/python benchmarks/runtimes.py --only $*

RUNTIME_executorch := executorch coremltools
ALSO_executorch := executorch or coreml
RUNTIME_litert := litert-torch ai-edge-litert
RUNTIME_ncnn := ncnn pnnx
RUNTIME_tvm := apache-tvm

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .runtimes tests/node/node_modules tests/node/installed runs build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
