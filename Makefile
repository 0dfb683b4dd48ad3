# make demo   the main job, from a product list to pictures, against a local Claid
# make up     the same local Claid, and Airflow with its web page
# make test   all tests
# make test-unit   those of them that start no Airflow and run no other command
# make crash-test   kill tasks at each moment, in real Airflow, and count what it costs
# make bench  all that docs/benchmarks.md says, measured (about 45 minutes)
# make bench-jobs   a thousand jobs waited for by one triggerer
# make browser-test   look at the Airflow UI in a browser
# make screenshots   the pictures of docs/images/, by the same browser
# make docs   the documentation as a site, in build/docs/
# make test-versions   each Airflow on each Python, lowest dependencies, each extra alone, types, the package (hours)
# make release   all that, and what a person then uploads and tags
# make lint   ruff, mypy, and what each package may import
# make build  wheel and sdist

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt
NOX := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/uv tool run nox@2026.10.20
UNIT_TESTS := $(BIN)/python -m pytest --numprocesses 5 --dist worksteal tests/docs tests/unit

# As pip does, uv trusts the certificates of the system: those of a company's TLS proxy are among them.
export UV_SYSTEM_CERTS ?= 1

# Each test starts processes that import Airflow: compiled modules halve their time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo up test test-unit crash-test crash-docs browser-test screenshots bench bench-docs bench-jobs bench-jobs-docs docs test-versions test-versions-short versions-docs version-pins release lint format build constraints clean clean-demo

demo: $(VENV)/demo-ready
	@$(BIN)/python scripts/demo.py

up: $(VENV)/demo-ready
	@$(BIN)/python scripts/up.py

test: $(VENV)/dev-ready
	@echo "==> Running all tests: units, docs and benchmarks, then a real Airflow"
	@$(UNIT_TESTS) tests/support tests/benchmarks
	@$(BIN)/python -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder tests/integration

test-unit: $(VENV)/dev-ready
	@echo "==> Running the tests of units and docs that run no commands"
	@$(UNIT_TESTS) -m "not commands"

crash-test: $(VENV)/dev-ready
	@echo "==> Killing tasks at each moment, to each kind of place (about 3 minutes)"
	@$(BIN)/python -m tests.crash

crash-docs: $(VENV)/dev-ready
	@$(BIN)/python -m tests.crash --update-docs

browser-test: $(VENV)/dev-ready
	@scripts/browser_tests.sh

screenshots: $(VENV)/dev-ready
	@scripts/browser_tests.sh screenshots

bench: $(VENV)/bench-ready
	@echo "==> Measuring all that docs/benchmarks.md says (about 45 minutes)"
	@$(BIN)/python -m benchmarks

bench-docs: $(VENV)/bench-ready
	@$(BIN)/python -m benchmarks --update-docs

bench-jobs: $(VENV)/bench-ready
	@echo "==> Waiting for a thousand jobs in one triggerer, twice (about 15 minutes)"
	@$(BIN)/python -m benchmarks.jobs

bench-jobs-docs: $(VENV)/bench-ready
	@$(BIN)/python -m benchmarks.jobs --update-docs

docs: $(VENV)/dev-ready
	@echo "==> Building the documentation site; a warning is an error"
	@$(BIN)/python scripts/docs_site.py

test-versions: $(VENV)/uv-ready
	@$(NOX) $(if $(SESSION),--session "$(SESSION)")

# The oldest Airflow on this Python without the unit tests, and the package.
test-versions-short: $(VENV)/uv-ready
	@echo "==> Installing the wheel with the oldest Airflow, and running its examples, plugin and form"
	@$(NOX) --session "airflow(airflow='3.1.8', python='$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')')" -- --quick

versions-docs: $(VENV)/uv-ready
	@$(NOX) --session airflow lowest -- --update-docs

version-pins: $(VENV)/uv-ready
	@scripts/version_pins.sh

release: $(VENV)/dev-ready
	@$(BIN)/python scripts/release.py
	@$(MAKE) --no-print-directory test-versions build
	@$(BIN)/python scripts/release.py --built

lint: $(VENV)/dev-ready
	@echo "==> ruff check, ruff format, mypy --strict, import-linter"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(VENV)/dev-ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

build: $(VENV)/dev-ready
	@rm -rf dist
	@$(BIN)/python -m build --installer uv

# The versions that demo and tests install, for every supported Python.
constraints: $(VENV)/uv-ready
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.10 --extra dev --extra bench \
		--no-header --no-annotate --no-emit-index-url pyproject.toml --output-file constraints.txt

clean-demo:
	rm -rf demo

clean: clean-demo
	rm -rf $(VENV) dist build

$(VENV)/uv-ready:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 10) <= v < (3, 14) else \
		f"airflow-claid needs Python 3.10 to 3.13, and $(PYTHON) is {v.major}.{v.minor}: make PYTHON=python3.12")'
	@echo "==> Making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@touch $@

$(VENV)/demo-ready: $(VENV)/uv-ready pyproject.toml constraints.txt
	@echo "==> Installing airflow-claid, Airflow and the sandbox (a minute or so)"
	@$(INSTALL) --editable '.[sandbox]'
	@touch $@

$(VENV)/dev-ready: $(VENV)/uv-ready pyproject.toml constraints.txt
	@echo "==> Installing airflow-claid with all that its tests need (a minute or two)"
	@$(INSTALL) --compile-bytecode --editable '.[dev]'
	@touch $@

$(VENV)/bench-ready: $(VENV)/dev-ready
	@$(INSTALL) --editable '.[dev,bench]'
	@touch $@
