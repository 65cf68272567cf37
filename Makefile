# make demo   a network shaped for this machine's CPU, measured and exported, in a few minutes
# make test   the tests        make check   ruff, format and types        make format   rewrite in house style
# make slow   the tests that take minutes      make venv   only the environment      make clean   remove it
#
# Variables: PYTHON=python3.12, VENV=/elsewhere, and TORCH_INDEX for another build of PyTorch, for example
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu      (about 200 MB instead of 3 GB of CUDA)

PYTHON ?= python3
VENV ?= .venv
TORCH_INDEX ?=
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
SPACE ?= studies/digits/space.yaml
STUDY ?= digits-cpu
# Two files of tests at a time, a thread each; more would measure each other's load.
SIDE_BY_SIDE ?= -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo test slow check format venv clean

demo: $(READY)
	$(BIN)/search launch $(SPACE)
	$(BIN)/search report $(STUDY)
	@echo "See it in the browser:  $(BIN)/search dashboard"

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(SIDE_BY_SIDE)

slow: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow $(SIDE_BY_SIDE)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

venv: $(READY)

# PyTorch first and alone: its build decides what else is needed. The extra index stands beside the default one, which
# still serves every other pin; pip prefers the build from there because a local version (2.13.0+cpu) sorts higher.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Lathe needs Python 3.11 or newer, got %s from `$(PYTHON)`. Name another one: make PYTHON=python3.12" % sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing PyTorch into $(VENV) ..."
	@$(PIP) install $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) --constraint constraints.txt torch
	@echo "Installing Lathe and the rest ..."
	@$(PIP) install --constraint constraints.txt --editable '.[dashboard,openvino,postgres,prune,qat,dev]'
	@touch $(READY)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
