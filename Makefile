# make demo   map the clouds of a real scene, from nothing
# make test   run every check
# `make help` lists the rest. Everything is installed into .venv here, and nothing elsewhere.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
JOBS ?= 2
IMAGE ?= gw
PEERS := benchmarks/work/peers
BASE ?= python:3.11-slim-bookworm

.PHONY: help demo test test-kills format check-format lint types layers tests docs bench bench-quick image clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# A stamp stands for what was installed, so that a second call starts at once.
$(VENV)/bin/python:
	@echo "make: creating the environment $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: gw needs Python 3.11 or newer; got $$($(PYTHON) --version)"; echo "hint: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.gw-demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "make: installing gw with what it needs to predict and to show maps (some minutes the first time)"
	@$(PIP) install -qq --constraint constraints.txt --editable '.[view]'
	@echo "make: installing the demo's network (the wheel ukis-csmask, Apache-2.0)"
	@$(PIP) install -qq --no-deps 'ukis-csmask==1.0.0'
	@touch $@

$(VENV)/.gw-dev: pyproject.toml constraints.txt $(VENV)/.gw-demo
	@echo "make: installing what the checks need"
	@$(PIP) install -qq --constraint constraints.txt --editable '.[dev,view]'
	@touch $@

demo: $(VENV)/.gw-demo ## map the clouds of a real scene, from nothing
	@$(BIN)/gw demo

test: check-format lint types layers tests ## run every check: format, style, types, layers, tests, docs

test-kills: $(VENV)/.gw-dev ## kill 300 processes at random moments, and compare what resumes
	@GW_RANDOM_KILLS=300 $(BIN)/pytest -q tests/end_to_end/test_kills.py

check-format: $(VENV)/.gw-dev ## is the code formatted?
	@echo "make: format"
	@$(BIN)/ruff format --quiet --check .

lint: $(VENV)/.gw-dev ## is the style kept?
	@echo "make: style"
	@$(BIN)/ruff check --quiet .

types: $(VENV)/.gw-dev ## do the types agree?
	@echo "make: types"
	@$(BIN)/mypy

layers: $(VENV)/.gw-dev ## do imports go down only?
	@echo "make: layers"
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

tests: $(VENV)/.gw-dev ## run the tests, those of the docs too
	@echo "make: tests"
	@$(BIN)/pytest -q -n $(JOBS) --dist loadfile --no-loadscope-reorder

format: $(VENV)/.gw-dev ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: $(VENV)/.gw-dev ## write docs/reference and the drawings from the code
	@$(BIN)/python docs/generate.py

# The peers have an environment of their own; of TerraTorch only its tiled inference is used, which needs torch alone.
$(PEERS)/.made: constraints.txt | $(VENV)/bin/python
	@echo "make: installing the peers into $(PEERS)"
	@$(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip --disable-pip-version-check install -qq --constraint constraints.txt torch rasterio safetensors monai tqdm
	@$(PEERS)/bin/python -m pip --disable-pip-version-check install -qq --no-deps terratorch
	@touch $@

$(VENV)/.gw-bench: $(VENV)/.gw-dev
	@echo "make: installing what the benchmarks compare with"
	@$(PIP) install -qq --constraint constraints.txt --editable '.[bench,dev,openvino,view]'
	@touch $@

bench: $(VENV)/.gw-bench $(PEERS)/.made ## measure all, and write docs/benchmarks (some 40 minutes on a quiet machine)
	@$(BIN)/python -m benchmarks
	@$(BIN)/python benchmarks/bench_read.py

bench-quick: $(VENV)/.gw-bench $(PEERS)/.made ## small measurements, to see that all of them run
	@$(BIN)/python -m benchmarks --quick

image: ## build the container image $(IMAGE)
	@containers/build.sh $(IMAGE) $(BASE)

clean: ## remove the environment and what was made
	rm -rf $(VENV) gw-demo gw-run dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache benchmarks/work
