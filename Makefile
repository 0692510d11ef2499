# Everything a newcomer, a tester and CI need. On Windows see the plain lines in README.md.
.DEFAULT_GOAL := run
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Node.js is one of the dev requirements, so that every machine has the same.
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" npm --silent

.PHONY: run demo test coverage check cluster soak lint bench fuzz openapi format vendor browser lock audit release clean

run: $(VENV)/.run
	@echo "Starting Data Tracker"
	@$(BIN)/python app.py

demo: $(VENV)/.run
	@echo "Starting Data Tracker with simulated data"
	@$(BIN)/python app.py --demo

# The tests run side by side; those that wait leave the processors to the others.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist worksteal

test: $(VENV)/.dev browser lint
	$(NPM) test
	$(PYTEST)

# The same and what it covers, which takes a quarter more.
coverage: $(VENV)/.dev browser
	$(PYTEST) --cov --cov-fail-under=95

# What one runs after each edit: all but what takes a browser, a cluster, or programs of its own.
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
	$(NPM) run lint

format: $(VENV)/.dev node_modules/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(NPM) run format

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

# Hours of it: the suite on a machine that is busy with other things, the full numbers of what it does in small ones,
# ten days of ticks, and attacks.
soak: $(VENV)/.dev browser
	$(BIN)/python -m scripts.under_load 3 $(PYTEST)
	$(BIN)/python -m pytest --soak -m soak --timeout 0
	$(BIN)/python -m benchmarks --only soak
	$(BIN)/python -m benchmarks --only attack

# More of what tests/api/test_fuzz.py does.
fuzz: $(VENV)/.dev
	$(BIN)/python -m pytest -s --soak tests/api/test_fuzz.py

# The committed description of the interface, from the code.
openapi: $(VENV)/.dev
	$(BIN)/python -m tests.api.described

# The documentation as a site, which loads nothing from elsewhere; a broken link stops it.
.PHONY: docs docs-serve pictures
docs: $(VENV)/.dev
	$(BIN)/mkdocs build --strict

docs-serve: $(VENV)/.dev
	$(BIN)/mkdocs serve --strict

# Its screenshots, from the program itself over a simulated market.
pictures: $(VENV)/.dev browser
	$(BIN)/python -m scripts.pictures

# What pages load of npm packages, at the versions in package-lock.json.
vendor: node_modules/.installed
	$(NPM) run vendor

node_modules/.installed: package.json package-lock.json | $(VENV)/.dev
	$(NPM) ci
	touch $@

# For every Python and platform at once. What is in the locks already stays, but for what the .in files pin otherwise.
# Extras stay named, for hosts that install by pip without --no-deps: it would look for the newest release of those.
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
  --no-strip-extras --custom-compile-command "make lock" --quiet
# Whether a lock lacks anything somewhere, or leaves it to be compiled by who installs it.
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

# Checks whether a release can be made, and prints the commands that make it. Changes nothing.
release: $(VENV)/.dev
	$(BIN)/python -m scripts.release

# Known weaknesses of what is installed; needs the network.
audit: $(VENV)/.dev
	$(BIN)/pip-audit --requirement requirements.txt --require-hashes --disable-pip

# The browser tests need Chromium and its driver: from apt where they are missing and it is at hand.
browser:
	@command -v chromedriver >/dev/null && { command -v chromium || command -v google-chrome; } >/dev/null || { \
	  command -v apt-get >/dev/null || { echo "Chromium and chromedriver are missing: please install them"; exit 1; }; \
	  SUDO=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$SUDO apt-get update -qq && $$SUDO apt-get install -y -qq --no-install-recommends chromium chromium-headless-shell chromium-driver fonts-dejavu-core; }

# Looked at each time: an environment breaks in more ways than make can see. No such files are made.
.PHONY: always
$(VENV)/.run: always
	@$(PYTHON) scripts/install.py requirements.txt

$(VENV)/.dev: always
	@$(PYTHON) scripts/install.py requirements-dev.txt

clean:
	rm -rf $(VENV) node_modules site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage
