# Ferryman: the few commands a developer or an operator needs. `make help` lists them.
# Every step leaves a stamp in .make/ and is done again only when what it was made from changes.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8470
ROUNDS ?= 5
WORKERS ?= 2
ARGS ?=

BIN := .venv/bin
STAMP := .make
ASSET_SOURCES := $(wildcard build.mjs tsconfig.json) \
	$(shell find src/ferryman -path '*/web/assets/*' -type f -o -path '*/templates/*' -type f)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run demo test lint format bench docs wheel lock clean

help: ## Say what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

setup: $(STAMP)/dev $(STAMP)/assets ## Everything a developer needs, in .venv and node_modules

run: $(STAMP)/runtime $(STAMP)/assets ## Start Ferryman at http://127.0.0.1:8470 with a sample upstream
	$(BIN)/ferry up --host $(HOST) --port $(PORT) --sample

demo: $(STAMP)/runtime $(STAMP)/assets ## The main job with nobody watching: fetch, kill -9, resume, verify
	$(BIN)/python scripts/demo.py $(ARGS)

# The browser has its tests to itself: its driver keeps an event loop running, which others must not meet.
test: $(STAMP)/system $(STAMP)/dev $(STAMP)/assets ## Run every test; ARGS='tests/unit -k name' narrows it
ifeq ($(strip $(ARGS)),)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --ignore=tests/browser
	$(BIN)/python -m pytest tests/browser
else
	$(BIN)/python -m pytest $(ARGS)
endif

lint: $(STAMP)/dev $(STAMP)/assets ## Style, types, import contracts, browser sources and the rules of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	npm run --silent check
	$(BIN)/python -m pytest -q tests/house

format: $(STAMP)/dev ## Let ruff correct what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)/system $(STAMP)/dev $(STAMP)/assets ## Measure beside the tools people use today; ROUNDS=5
	$(BIN)/python -m bench --rounds $(ROUNDS) $(ARGS)

docs: $(STAMP)/dev $(STAMP)/assets ## Build the documentation into site/; fails when something is undocumented
	$(BIN)/python -m scripts.reference
	$(BIN)/python -m scripts.screenshots docs/explanation/screenshots
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

wheel: $(STAMP)/dev $(STAMP)/assets ## Build dist/*.whl with the browser assets inside
	rm -rf dist build
	$(BIN)/python -m build --wheel --no-isolation

lock: $(STAMP)/venv ## Pin and hash every requirement again
	test -x $(BIN)/uv || $(BIN)/python -m pip install -qq uv
	scripts/lock

clean: ## Remove everything that was built
	rm -rf .make .venv node_modules dist build site src/ferryman/web/static

$(STAMP)/system: scripts/system-packages
	@mkdir -p $(STAMP)
	scripts/system-packages
	@touch $@

$(STAMP)/venv: scripts/make-venv
	@mkdir -p $(STAMP)
	scripts/make-venv $(PYTHON)
	@touch $@

$(STAMP)/runtime: $(STAMP)/venv requirements/build.txt requirements/runtime.txt pyproject.toml
	scripts/retry $(BIN)/python -m pip install -qq --require-hashes -r requirements/build.txt -r requirements/runtime.txt
	$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMP)/dev: $(STAMP)/runtime requirements/dev.txt
	scripts/retry $(BIN)/python -m pip install -qq --require-hashes -r requirements/dev.txt
	@touch $@

$(STAMP)/node: package.json package-lock.json
	@mkdir -p $(STAMP)
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or newer" >&2; exit 1; }
	scripts/retry npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(STAMP)/assets: $(STAMP)/node $(ASSET_SOURCES)
	npm run --silent build
	@touch $@
