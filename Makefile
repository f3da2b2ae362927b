# Every target makes what it needs: on a fresh machine `make demo` and `make test` are the only commands to know.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: help env demo test turns check bench lock clean

help: ## Say what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

env: $(STAMP) ## Make the environment in .venv, from requirements.lock

$(STAMP): requirements.lock pyproject.toml
	@ops/make_env.sh
	@touch $@

demo: env ## Start a server and hold one whole call on it; needs no key (ARGS=...)
	@$(BIN)/python -m ops.demo $(ARGS)

test: env ## Run the tests, side by side (ARGS=...; -n 0 in one process)
	@$(BIN)/python -m pytest -q -n auto $(ARGS)

turns: env ## Play the battery of turn-taking: a table of right and wrong, and of gaps (ARGS=...)
	@$(BIN)/python -W ignore -m ops.turns $(ARGS)

check: env ## Check style, types, floors, and that nothing here names one machine or registry
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/house

bench: env ## Measure beside the best peer, same caller, same vendors, same run (ARGS=...)
	@$(BIN)/python -m ops.lab bench $(ARGS)

lock: env ## Choose versions anew: requirements.lock and the peers' locks, hashed, without addresses
	@$(BIN)/python -m pip install --quiet 'uv>=0.13,<0.14'
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --extra offline --generate-hashes --no-header \
		--no-annotate --no-emit-index-url --upgrade -o requirements.lock pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --no-emit-index-url --upgrade -o ops/lab/peers/pipecat.lock ops/lab/peers/pipecat.in
	@grep -c '==' requirements.lock ops/lab/peers/pipecat.lock

clean: ## Remove the environment, caches and the peers; calls and recordings in var stay
	rm -rf .venv var/peers build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
