# Everything that newcomers, testers and CI need. For Windows see the commands in README.md.
.DEFAULT_GOAL := run
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Node.js is a development requirement, so that every machine has the same version.
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" npm --silent

.PHONY: run demo test coverage check cluster soak lint bench fuzz openapi format vendor browser lock audit release clean

run: $(VENV)/.run
	@echo "Starting Data Tracker"
	@$(BIN)/python app.py

demo: $(VENV)/.run
	@echo "Starting Data Tracker with simulated data"
	@$(BIN)/python app.py --demo

# Tests run in parallel.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist worksteal

test: $(VENV)/.dev browser lint
	$(NPM) test
	$(PYTEST)

# All tests with their coverage, which takes a quarter longer.
coverage: $(VENV)/.dev browser
	$(PYTEST) --cov --cov-fail-under=95

# For use after each edit: everything except tests with a browser, a cluster or separate processes.
check: $(VENV)/.dev lint
	$(NPM) test
	$(PYTEST) -m "not browser and not cluster and not processes"

cluster: $(VENV)/.dev
	$(BIN)/python -m pytest -s tests/cluster

lint: $(VENV)/.dev node_modules/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python -m scripts.words
	$(NPM) run lint

format: $(VENV)/.dev node_modules/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(NPM) run format

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

# Takes hours: the suite on a busy machine, the long tests, ten simulated days of ticks, and attacks.
soak: $(VENV)/.dev browser
	$(BIN)/python -m scripts.under_load 3 $(PYTEST)
	$(BIN)/python -m pytest --soak -m soak --timeout 0
	$(BIN)/python -m benchmarks --only soak
	$(BIN)/python -m benchmarks --only attack

# A longer run of tests/api/test_fuzz.py.
fuzz: $(VENV)/.dev
	$(BIN)/python -m pytest -s --soak tests/api/test_fuzz.py

# Renews docs/openapi.json from the code.
openapi: $(VENV)/.dev
	$(BIN)/python -m tests.api.described

# The documentation as a site that works offline. A broken link is an error.
.PHONY: docs docs-serve pictures
docs: $(VENV)/.dev
	$(BIN)/mkdocs build --strict

docs-serve: $(VENV)/.dev
	$(BIN)/mkdocs serve --strict

# The documentation's screenshots, from the running program with the simulated exchange.
pictures: $(VENV)/.dev browser
	$(BIN)/python -m scripts.pictures

# The npm packages that pages load, in the versions of package-lock.json.
vendor: node_modules/.installed
	$(NPM) run vendor

node_modules/.installed: package.json package-lock.json | $(VENV)/.dev
	$(NPM) ci
	touch $@

# Locks for all Pythons and platforms. Locked versions stay unless the .in files pin others. Extras stay in the locks,
# because pip without --no-deps, as some hosts run it, would otherwise install their newest releases.
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
  --no-strip-extras --custom-compile-command "make lock" --quiet
# Checks that a lock is complete on a platform and needs no compiler.
FITS := $(BIN)/uv pip install --dry-run --quiet --require-hashes --only-binary :all: --target $(VENV)/nowhere

lock: $(VENV)/.dev
	$(LOCK) requirements.in --output-file requirements.txt
	$(LOCK) requirements-dev.in --constraint requirements.txt --output-file requirements-dev.txt
	grep '^uv==' requirements-dev.in | $(LOCK) - --output-file requirements-uv.txt
	@for lock in requirements.txt requirements-dev.txt requirements-uv.txt; do \
	  for platform in x86_64-manylinux_2_28 aarch64-manylinux_2_28 macos windows; do for python in 3.11 3.12 3.13; do \
	    echo "$$lock on Python $$python, $$platform"; \
	    $(FITS) --python-platform $$platform --python-version $$python --requirement $$lock || exit 1; \
	  done; done; done; rm -r $(VENV)/nowhere

# Checks that a release is possible and prints its commands. Changes nothing.
release: $(VENV)/.dev
	$(BIN)/python -m scripts.release

# Known vulnerabilities of the dependencies. Needs the network.
audit: $(VENV)/.dev
	$(BIN)/pip-audit --requirement requirements.txt --require-hashes --disable-pip

# Browser tests need Chromium and its driver. Where they are missing, apt installs them if there is apt.
browser:
	@command -v chromedriver >/dev/null && { command -v chromium || command -v google-chrome; } >/dev/null || { \
	  command -v apt-get >/dev/null || { echo "Chromium and chromedriver are missing: please install them"; exit 1; }; \
	  SUDO=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$SUDO apt-get update -qq && $$SUDO apt-get install -y -qq --no-install-recommends chromium chromium-headless-shell chromium-driver fonts-dejavu-core; }

# Checked every time, because an environment breaks in more ways than make can detect. These files never exist.
.PHONY: always
$(VENV)/.run: always
	@$(PYTHON) scripts/install.py requirements.txt

$(VENV)/.dev: always
	@$(PYTHON) scripts/install.py requirements-dev.txt

clean:
	rm -rf $(VENV) node_modules site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage
