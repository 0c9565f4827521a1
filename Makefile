# Fathom's chores. Each bootstraps what it needs: a private uv, Python 3.13, the locked packages.
# Needs beforehand: python3 (3.9 or later, with venv), make and git. Python 3.13 itself is found (pyenv, system) or fetched by uv.

PYTHON3 ?= python3
UV_VERSION := 0.13.9
UV := .tools/bin/uv
BIN := .venv/bin

COMPILE := pip compile --quiet --universal --generate-hashes --python-version 3.13 --no-emit-find-links \
    --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help install install-core demo rehearse test check bench lock format clean

help:  ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(UV):
	@echo ">> private uv $(UV_VERSION) into .tools"
	@$(PYTHON3) -m venv .tools || { echo "Expected a python3 that can make virtual environments; \
	  on Debian and Ubuntu: apt-get install python3-venv"; rm -rf .tools; exit 1; }
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check 'uv==$(UV_VERSION)'

LOCK ?= requirements-train.lock

.venv/.synced: requirements.lock requirements-train.lock pyproject.toml setup.py .python-version | $(UV)
	@echo ">> Python $$(cat .python-version) and the packages of $(LOCK) into .venv"
	@test -x $(BIN)/python || $(UV) venv --quiet --python "$$(cat .python-version)" .venv
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes $(LOCK)
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@mkdir -p .venv/ns && ln -sfn ../.. .venv/ns/fathom
	@touch $@

install: .venv/.synced  ## Set up .venv with everything, the training stack included (several GB)

install-core: LOCK := requirements.lock
install-core: .venv/.synced  ## Set up a new .venv without the training stack: enough to backtest and to trade

demo: install  ## Simulate a market, backtest on it, show where the tearsheet is
	@$(BIN)/fathom demo

rehearse: install  ## Trade a simulated market on the live node, against a stand-in of Bybit: a page
	@$(BIN)/fathom data simulate configs/simulation/demo.toml --catalog fathom-out/rehearse/market --seed 3 --duration 10m
	@$(BIN)/fathom live rehearse configs/live/rehearsal.toml --out fathom-out/rehearse/sessions

test: install  ## Run every test
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

check: install  ## Lint, types, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@MYPYPATH=.venv/ns $(BIN)/mypy -p fathom
	@MYPYPATH=.venv/ns $(BIN)/mypy tests
	@$(BIN)/lint-imports --no-logo

bench: install  ## Measure speed against baselines in the same run
	@$(BIN)/python -m tests.performance

format:  ## Let ruff fix and format
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

lock: $(UV)  ## Recompute both lock files: everything first, then the part without the training stack
	@$(UV) $(COMPILE) --all-extras pyproject.toml -o requirements-train.lock
	@$(UV) $(COMPILE) --extra serve --extra live --extra dev -c requirements-train.lock pyproject.toml -o requirements.lock

clean:  ## Remove what the chores made (environments, caches, output)
	@rm -rf .venv .tools .cache build dist fathom-out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
