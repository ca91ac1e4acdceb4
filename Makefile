# Needs make and Python 3.11, 3.12 or 3.13; everything else comes from the hash-pinned lock files into .venv.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
# 3.11 first: what is measured was measured with it.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$p && break; done)
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check

.PHONY: demo serve test bench lint lock clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.done          ## a disclosure from letter to package, through Prefect
	@$(BIN)/python -m flows.demo

serve: $(VENV)/.done         ## the same company and cases, left running: Prefect's page on 127.0.0.1:4200
	@$(BIN)/python -m flows.demo --keep

lint: $(VENV)/.done-test
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# What one process has compiled is read by the many that tests start.
test: export PYTHONDONTWRITEBYTECODE :=
test: lint                   ## lint, types, import contracts, the whole suite
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term:skip-covered

bench: $(VENV)/.done-test
	$(BIN)/python -m tests.bench

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11, 3.12 or 3.13 found; install one, or: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "make: $(PYTHON) -m venv does not work here; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

$(VENV)/.done: requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing what is locked into $(VENV) …"
	@$(PIP) --require-hashes --no-deps -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.done-test: requirements-test.lock pyproject.toml | $(BIN)/python
	@echo "installing what is locked, with what tests need, into $(VENV) …"
	@$(PIP) --require-hashes --no-deps -r requirements-test.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.done

# Keeps what is pinned where it still fits; make lock UP=--upgrade takes the newest. setuptools builds the project itself.
COMPILE := .venv-lock/bin/uv pip compile --quiet $(UP) --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate --no-strip-extras pyproject.toml -
lock:
	@test -x .venv-lock/bin/uv || { $(PYTHON) -m venv .venv-lock && .venv-lock/bin/python -m pip install -qq uv; }
	echo 'setuptools>=77' | $(COMPILE) -o requirements.lock
	echo 'setuptools>=77' | $(COMPILE) --extra test -c requirements.lock -o requirements-test.lock

clean:
	rm -rf $(VENV) .venv-lock demo build .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .import_linter_cache
