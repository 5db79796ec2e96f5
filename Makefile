# Everything from a bare checkout. Needs git, make and Python ≥ 3.11.
#   make demo        the main job, start to end: report.html with videos
#   make test        the fast tests
#   make install     the set-up alone, into .venv
#   make generalist  the shipped agent from nothing: hours of collecting, then minutes of training on a GPU and eight hours on two cores
# Settings: ARGS="episodes=2 open=false" (of the demo), PYTHON=python3.12, VENV=folder, TORCH_INDEX=<index of PyTorch builds, e.g. for CUDA>

VENV ?= .venv
TORCH_INDEX ?=
# 3.11 first: every simulator has a wheel for it (PyBullet has none for newer ones, and is then built or left out).
PYTHON ?= $(shell for p in python3.11 python3.12 python3 python3.13 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo generalist test test-all contract lint format clean

help:
	@sed -n '1,7p' Makefile

install: $(STAMP)

$(STAMP): pyproject.toml scripts/install.py
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer found. Next: sudo apt-get install python3 python3-venv, or make install PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) scripts/install.py --venv "$(VENV)" $(if $(TORCH_INDEX),--torch-index "$(TORCH_INDEX)")
	@touch $@

demo: install
	@$(BIN)/opengato demo $(ARGS)

generalist: install
	@$(BIN)/opengato recipe name=generalist $(ARGS)

test: install
	@$(BIN)/python -m pytest -q -m "not slow and not gpu"

test-all: install
	@$(BIN)/python -m pytest -q

contract: install
	@$(BIN)/python scripts/contract.py $(ARGS)

lint: install
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: install
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
