# make demo and make test are all a newcomer needs; make check is what a change has to pass. CI (.ci/run)
# measures coverage beside it, and tries the package on other Pythons and with the lowest versions.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
DEMO_VENV := .venv-demo
DEMO_READY := $(DEMO_VENV)/.installed
DOCS_VENV := .venv-docs
DOCS_READY := $(DOCS_VENV)/.installed
GALLERY ?= 1

.DEFAULT_GOAL := check
.PHONY: demo test test-slow lint check bench wheel docs clean

# The environment is made again when the metadata changes.
$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

# What a user has, without the developers' tools; pip says what it is at.
$(DEMO_READY): pyproject.toml
	$(PYTHON) -m venv $(DEMO_VENV)
	$(DEMO_VENV)/bin/pip install --disable-pip-version-check --editable .
	touch $@

$(DOCS_READY): pyproject.toml
	$(PYTHON) -m venv $(DOCS_VENV)
	$(DOCS_VENV)/bin/pip install --quiet --disable-pip-version-check --editable ".[docs]"
	touch $@

demo: $(DEMO_READY)  ## train on the bundled handwritten digits and show what was learned
	$(DEMO_VENV)/bin/clearprop train digits --output digits.safetensors

test: $(READY)  ## the default suite
	$(BIN)/pytest --quiet --numprocesses auto $(COVERAGE)

test-slow: $(READY) docs  ## what the default suite leaves out: full fuzzing, many kills
	CLEARPROP_FUZZ=100000 CLEARPROP_KILLS=500 $(BIN)/pytest --quiet --numprocesses auto -m "slow or not slow"

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

wheel: $(READY)  ## build sdist and wheels, with kernels built ahead (all VARIANTS, or those named) and without, and test them where there is no source
	rm -rf dist build/kernels
	$(BIN)/python wheels/kernels.py build/kernels $(VARIANTS)
	$(BIN)/python -m build --outdir dist .
	for each in $$(ls build/kernels); do CLEARPROP_WHEEL=$$each $(BIN)/python -m build --wheel --outdir dist . || exit 1; done
	wheels/try.sh dist $(PYTHON)
	CLEARPROP_BUILT=build/kernels $(BIN)/pytest --quiet -m slow tests/engines/test_ahead.py

check: lint test wheel

docs: $(DOCS_READY)  ## the site, in build/site; GALLERY=0 leaves its examples unexecuted
	$(DOCS_VENV)/bin/sphinx-build --builder html --fail-on-warning --keep-going --quiet \
	    --define plot_gallery=$(GALLERY) --define nb_execution_mode=$(if $(filter 0,$(GALLERY)),off,cache) --doctree-dir build/doctrees docs build/site

bench: $(READY)  ## against PyTorch, JAX and scikit-learn, where they are installed
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) $(DEMO_VENV) $(DOCS_VENV) build dist docs/gallery docs/results docs/reference/api .mypy_cache .ruff_cache .pytest_cache .hypothesis
