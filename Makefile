# Everything from set-up to a run. `make help` explains each target and each variable; nothing here
# needs an activated environment, and what is there already is skipped.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BUILD := build/ns3
MODEL := smollm2-135m
ENVIRONMENT := $(VENV)/.installed
RUN := $(VENV)/bin

SCENARIO ?= ns3_scenarios/scenarios/default.yaml ## scenario to run
BUDGET ?= ## real decisions to train on (default: splitsim's own)
SEED ?= ## seed of the run (default: splitsim's own)
QUICK ?= ## 1: a first look with few seeds and decisions
INPUTS ?= 100000 ## of make fuzz, for each target
OUT ?= ## run folder (default: splitsim's own, under runs/)
NS3 ?= wheel ## ns-3 to build against: wheel (from PyPI) or system (by pkg-config: libns3-dev)
NS3_ROOT ?= ## folder of another ns-3, with include/ and lib/ or lib64/; overrides NS3
SECONDS ?= 600 ## how long a soak lasts
PYTHON ?= python3 ## Python that makes .venv, 3.11 or newer
TORCH_INDEX ?= ## extra package index with CPU builds of torch, where pip's own has none
JOBS ?= $(shell nproc) ## compilers at a time, by default one for each core

# Make keeps the blanks before the ## of an explanation. Values from outside are taken as they are.
given = $(if $(filter file,$(origin $1)),$(strip $($1)),$(value $1))
override SCENARIO := $(call given,SCENARIO)
override OUT := $(call given,OUT)
override NS3 := $(call given,NS3)
override NS3_ROOT := $(call given,NS3_ROOT)
override PYTHON := $(call given,PYTHON)
override TORCH_INDEX := $(call given,TORCH_INDEX)
override JOBS := $(strip $(JOBS))
override INPUTS := $(strip $(INPUTS))

# One word of the shell, whatever it holds.
quoted = '$(subst ','\'',$1)'

export NS3 PYTHON
ifneq ($(origin CXX),default)
export CXX
endif

.PHONY: help setup system venv model build build-tests sim test slow check fuzz sanitize soak docs lint format clean \
	distclean

help: ## this text
	@echo 'usage: make TARGET [VARIABLE=value ...]'
	@echo
	@echo 'Targets:'
	@sed -nE 's/^([a-z0-9-]+):[^#]*## (.*)/\1\t\2/p' Makefile | \
		while IFS=$$'\t' read -r name text; do printf '  %-12s %s\n' "$$name" "$$text"; done
	@echo
	@echo 'Variables:'
	@sed -nE 's/^([A-Z0-9_]+) \?=(.*)## (.*)/\1\t\3 [\2]/p' Makefile | \
		sed -E 's/\[ *([^]]*[^] ]) *\]/[\1]/; s/ \[( *|\$$.*)\]//' | \
		while IFS=$$'\t' read -r name text; do printf '  %-12s %s\n' "$$name" "$$text"; done

setup: build model ## everything that a run needs: system, venv, model, build

system: ## Debian packages: installs what is missing (root or sudo), else lists it and stops
	@tools/system-packages

venv: $(ENVIRONMENT) ## Python packages, in .venv; again when pyproject.toml has changed

# `system` is looked at first every time, and never makes this one old.
$(ENVIRONMENT): pyproject.toml | system
	@tools/make-venv $(VENV) $(if $(TORCH_INDEX),$(call quoted,$(TORCH_INDEX)))

model: | $(ENVIRONMENT) ## the quality model's weights and the text, into the user's cache (SPLITSIM_CACHE)
	@$(RUN)/python -m llm_split.models fetch $(MODEL) > /dev/null

SIMULATOR = $(RUN)/python -m pyagent build --jobs $(JOBS) \
	$(if $(NS3_ROOT),--ns3-root $(call quoted,$(NS3_ROOT)),$(if $(filter system,$(NS3)),--system))

build: | $(ENVIRONMENT) ## the simulator, build/ns3/splitsim-ns3, on ns-3's wheel in .cache/ns3 or another ns-3
	@$(SIMULATOR) > /dev/null

build-tests: build
	@$(SIMULATOR) --tests > /dev/null

sim: setup ## run SCENARIO: train, evaluate, report
	@$(RUN)/splitsim run $(call quoted,$(SCENARIO)) $(if $(strip $(BUDGET)),--budget $(strip $(BUDGET))) \
		$(if $(strip $(SEED)),--seed $(strip $(SEED))) $(if $(strip $(QUICK)),--quick) \
		$(if $(OUT),--out $(call quoted,$(OUT)))

test: setup build-tests ## the tests: pytest with the real simulator and model, then ctest
	@$(RUN)/python -m pytest -m 'not slow'
	@cd $(BUILD) && ctest --output-on-failure

slow: setup build-tests ## only the slow tests; brings Ray and, where they can be had, Chromium and Debian's ns-3 for them
	@tools/system-packages slow || true
	@$(RUN)/python -c 'import ray' 2> /dev/null || $(RUN)/python -m pip install --quiet --editable '.[ray]' || \
		echo 'Ray could not be installed: its tests are skipped' >&2
	@$(RUN)/python -m pytest -m slow

check: test slow sanitize ## the tests, the slow ones and the sanitized C++ ones

fuzz: setup ## INPUTS damaged inputs for each reader of files and of the wire; those that crash stay in build/fuzz
	@$(RUN)/python -m tests.fuzz --inputs $(INPUTS)

sanitize: build ## the C++ tests under AddressSanitizer and UBSan, and the fuzz targets in C++ for a minute
	@JOBS=$(JOBS) tools/sanitize $(RUN)/python

soak: setup ## faults, fuzzing and many episodes, for SECONDS; the last line is JSON
	@$(RUN)/python -m tests.faults --seconds '$(strip $(SECONDS))'

# Not --quiet: mkdocs would then count no warnings, and --strict would find none.
docs: $(ENVIRONMENT) ## the site, build/site/index.html; a warning or a link that leads nowhere is an error
	@$(RUN)/python -c 'import mkdocs_jupyter, mkdocstrings_handlers.python, material, latex2mathml' 2> /dev/null || \
		$(RUN)/python -m pip install --quiet --editable '.[docs]'
	@NO_MKDOCS_2_WARNING=1 $(RUN)/python -m mkdocs build --strict --site-dir build/site
	@echo build/site/index.html

CPP_SOURCES = find ns3_scenarios \( -name '*.cc' -o -name '*.h' \) -print0

lint: $(ENVIRONMENT) ## ruff, mypy and clang-format; changes nothing
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check .
	@$(RUN)/mypy
	@$(CPP_SOURCES) | xargs -0 $(RUN)/clang-format --dry-run -Werror

format: $(ENVIRONMENT) ## write the sources in the form that lint asks for
	@$(RUN)/ruff check --fix .
	@$(RUN)/ruff format .
	@$(CPP_SOURCES) | xargs -0 $(RUN)/clang-format -i

clean: ## remove what was built (not runs/)
	rm -rf build .mypy_cache .ruff_cache .pytest_cache
	find llm_split pyagent tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## remove what was fetched as well: .venv, .cache (not runs/, not the model's cache)
	rm -rf $(VENV) .cache *.egg-info
