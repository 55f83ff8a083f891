# The two commands: make run, make test. Everything else is for those who work on the code.
#
#   make run                  set up, then the main job on the embedded default
#   make run ARGS="-n"        the same with more arguments for Snakemake
#   make test                 set up, then the tests;  make test ARGS="-m 'not slow'"
#   make lint                 style, types, workflow lint, layers
#   make setup PIP_ARGS="--index-url URL"   choose where packages come from, for instance
#                             an index of CPU builds of torch; see docs/setup.md

PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?=
ARGS ?=
BIN = $(VENV)/bin

.PHONY: run test lint format setup diagram clean

run: $(VENV)/.run
	@$(BIN)/python -m protscribe.driver --cores all $(ARGS)

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/snakemake --lint

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules

setup: $(VENV)/.run

# A stamp is written last, so an interrupted set-up is taken up again.
$(VENV)/.run: requirements.txt
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is missing; run: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { echo "error: Python 3.11 or newer is needed; name one: make run PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c "import ensurepip, venv" 2>/dev/null || { echo "error: Python's venv is missing; run: apt-get install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing pinned packages into $(VENV): about 1.9 GB with a CPU build of torch"
	@# Torch brings what its build needs; everything else is listed whole, so nothing more is drawn in.
	@$(BIN)/python -m pip install --quiet $(PIP_ARGS) "$$(grep '^torch==' requirements.txt)"
	@$(BIN)/python -m pip install --quiet --no-deps $(PIP_ARGS) -r requirements.txt
	@$(BIN)/python -c "import torch; print('torch', torch.__version__, 'GPU' if torch.cuda.is_available() else 'CPU')"
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --no-deps $(PIP_ARGS) -r requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache

diagram: $(VENV)/.run
	@$(BIN)/snakemake --rulegraph mermaid-js 2>/dev/null | grep -v '^	style\|^---\|^title' > .diagram
	@sed -i -e '/^<!-- diagram -->/,/^<!-- end of diagram -->/{//!d}' \
		-e '/^<!-- diagram -->/r .diagram' docs/architecture.md
	@sed -i -e 's/^flowchart TB/```mermaid\nflowchart TB/' \
		-e 's/^<!-- end of diagram -->/```\n<!-- end of diagram -->/' docs/architecture.md
	@rm .diagram
