# Everything runs in .venv of this checkout; each target sets that up first, where something changed.

# The first Python that TensorFlow has wheels for.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$python && break; done)
BIN := .venv/bin
INSTALLED := .venv/.installed
HOST ?= 127.0.0.1
PORT ?= 8000
DATA_DIR ?= data
FAULT_ROUNDS ?= 50
TEST_PROCESSES ?= 2

.PHONY: help setup test test-faults test-schema check format demo serve generate bench bench-constraints bench-peers clean

help:  ## This list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED)  ## Creates .venv with the pinned requirements and kerb itself.

$(INSTALLED): requirements/api.txt requirements/worker.txt requirements/dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Expected Python 3.11, 3.12 or 3.13 (TensorFlow has no later wheels); found none. Set PYTHON=…"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing the pinned requirements into .venv; the first time that takes a few minutes."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

test: $(INSTALLED)  ## Runs all tests, in TEST_PROCESSES processes, a file in one of them.
	@$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile

test-faults: $(INSTALLED)  ## Runs the fault suite in its long form: processes killed at FAULT_ROUNDS moments each.
	@KERB_FAULT_ROUNDS=$(FAULT_ROUNDS) $(BIN)/python -m pytest tests/faults -s

test-schema: $(INSTALLED)  ## The long form of the tests of hostile requests: hours. See docs/contributing.md.
	@KERB_TEST_SCHEMA_CASES=2000 KERB_TEST_FUZZ_CASES=20000 \
		$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile -s tests/test_schema.py tests/test_fuzz.py

check: $(INSTALLED)  ## Format, lint, types, import contracts, generated files.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m app.openapi --check

format: $(INSTALLED)  ## Formats, sorts imports, mends what can be mended.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

generate: $(INSTALLED)  ## Writes the generated files anew: OpenAPI, examples, parts of docs.
	$(BIN)/python -m app.openapi
	$(BIN)/python docs/make_settings.py
	$(BIN)/python docs/make_language.py
	for script in examples/make_*.py; do $(BIN)/python $$script || exit 1; done

demo: $(INSTALLED)  ## Trains the three circles runs in a service of its own and prints what came of it.
	@$(BIN)/kerb demo

serve: $(INSTALLED)  ## Starts the API and a worker (HOST, PORT, DATA_DIR).
	@$(BIN)/kerb serve --host $(HOST) --port $(PORT) --data-dir $(DATA_DIR)

bench: $(INSTALLED)  ## Prints the benchmarks as ratios.
	@$(BIN)/python -m benchmarks

bench-constraints: $(INSTALLED)  ## Compares declared limits with the best of twenty penalty weights.
	@$(BIN)/python -m benchmarks constraints

bench-peers: $(INSTALLED)  ## Installs what the benchmarks compare with, each in an environment of its own.
	@$(BIN)/python -m benchmarks.peers

clean:  ## Removes .venv and caches.
	rm -rf .venv .bench .mypy_cache .ruff_cache .pytest_cache build dist *.egg-info
