# Every target makes its own environment: Python >= 3.11 and make are enough.
PYTHON ?= python3
PROCESSES ?= 2
VENV := .venv
BIN := $(VENV)/bin
INSTALL := PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help prove test lint proofs doctest example test-peers nightly clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

prove: $(VENV)/.installed ## prove every obligation; the report is proofs/report/index.html
	$(BIN)/gradproof prove --out proofs/report

test: lint proofs doctest example ## linters, all proofs and tests, doctests, a wheel, the examples

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/mypy

# Cold: what is released has been proved, not found in a cache.
proofs: $(VENV)/.installed
	GRADPROOF_CACHE=off $(BIN)/python -m pytest proofs tests -n $(PROCESSES) --dist worksteal -q

doctest: $(VENV)/.installed
	$(BIN)/python -m pytest --doctest-modules runtime/gradproof -q

example: $(VENV)/.installed
	$(BIN)/python examples/digits.py
	$(BIN)/python examples/session_regression.py
	$(BIN)/python examples/transformer.py

test-peers: $(VENV)/.installed-peers ## compare the runtime with PyTorch, JAX, autograd and MyGrad
	$(BIN)/python -m pytest tests/peers -n $(PROCESSES) -q

nightly: $(VENV)/.installed-peers ## the float fuzz with new inputs, twenty times as many; the tests marked nightly
	GRADPROOF_FUZZ=nightly $(BIN)/python -m pytest proofs/test_float.py -n $(PROCESSES) -q
	$(BIN)/python -m pytest tests tests/peers -m nightly -n $(PROCESSES) -q

clean: ## remove the environment, the report and every cache
	rm -rf $(VENV) proofs/report .gradproof_cache build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find runtime spec proofs tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else \
		"gradproof needs Python 3.11 or newer; name one: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) -e ".[dev]"
	@touch $@

# PyTorch by its exact version: a range would take the newest build, with gigabytes of CUDA libraries.
$(VENV)/.installed-peers: $(VENV)/.installed
	$(INSTALL) torch==2.13.0 jax==0.10.2 jaxlib==0.10.2 autograd==1.9.1 mygrad==2.5.0
	@touch $@
