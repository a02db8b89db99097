# The two commands: `make run` shows the hub at work, `make test` proves it. Both install themselves.

PYTHON ?= python3
BIN := .venv/bin
NODE := tests/journey/node

.PHONY: run test faults bench lint lock clean

run: .venv/.run
	$(BIN)/python deploy/demo.py $(ARGS)

test: lint $(if $(shell command -v npm),$(NODE)/node_modules/.installed)
	$(BIN)/python -m pytest $(ARGS)

# Breaks a hub in every way there is; SCENARIO, SEED and N pick a line of the table, and its size.
faults: .venv/.test
	$(BIN)/python -m tests.faults $(SCENARIO) $(if $(SEED),--seed $(SEED)) $(if $(N),--count $(N)) \
	  $(if $(SECONDS),--seconds $(SECONDS)) $(if $(RATE),--rate $(RATE)) $(ARGS)

# What the hub costs beside the bare libraries; ARGS='--quick', or '--only idle', or '--against FILE'.
bench: .venv/.run
	$(BIN)/python -m tests.bench $(ARGS)

lint: .venv/.test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("event-hub needs Python 3.11 or newer; say make PYTHON=...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv

.venv/.run: requirements.lock | .venv/bin/python
	$(BIN)/python -m pip install --quiet --no-compile --require-hashes --requirement requirements.lock
	@touch $@

.venv/.test: requirements-test.lock | .venv/bin/python
	$(BIN)/python -m pip install --quiet --no-compile --require-hashes --requirement requirements-test.lock
	@touch $@ .venv/.run

$(NODE)/node_modules/.installed: $(NODE)/package-lock.json
	cd $(NODE) && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

# The lock files, anew, after a change of pyproject.toml; `UV=uvx uv` works as well.
UV ?= $(BIN)/python -m uv
lock:
	$(BIN)/python -m pip install --quiet uv
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --extra demo --output-file requirements.lock pyproject.toml
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --extra test --output-file requirements-test.lock pyproject.toml

clean:
	rm -rf .venv .cache var $(NODE)/node_modules
