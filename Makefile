# One environment in .venv, made anew when what it holds changes. Nothing here needs root, Java or Maven.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
FUZZ ?=

.PHONY: demo test quick check bench bench-peers soak lock clean
.DELETE_ON_ERROR:

demo: .venv/made
	@PYTHONPATH=examples exec $(BIN)/python -m streamsocial $(ARGS)

test: check
	@tools/browser.sh
	@$(BIN)/python -m pennon.testing.broker --fetch
	@$(BIN)/python -m pytest $(ARGS)

quick: .venv/made
	@$(BIN)/python -m pytest -m "not slow and not kafka and not system" $(ARGS)

check: .venv/made
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/mypy

bench: .venv/made
	@$(BIN)/python benchmarks/run.py $(ARGS)

# The race against other SDKs: each in its own environment, made on the first run.
bench-peers: .venv/made
	@$(BIN)/python benchmarks/peers/bench.py $(ARGS)

# The model of carrying for an hour, then every codec fuzzed for ten minutes; ARGS="--minutes 10" and FUZZ="--minutes 1
# --codecs baggage" say otherwise. Both go on where they stopped.
soak: .venv/made
	@$(BIN)/python -m tests.carry.model.soak $(ARGS)
	@$(BIN)/python -m tests.fuzz.soak $(FUZZ)

# Names and versions of everything in the environment, found by installing it once without constraints.
lock:
	@tools/lock.sh $(PYTHON)

clean:
	rm -rf .venv build dist

.venv/made: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "pennon needs Python 3.11 or later, found " + sys.version.split()[0] + "; name another: make PYTHON=python3.11")'
	@echo "Setting up .venv (about half a minute, once) ..."
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt pip
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all]' --group dev
	@touch $@
