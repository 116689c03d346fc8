# The commands of cifar_keras. Everything is installed into $(VENV) and nowhere else.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Exact versions, for reported runs: make CONSTRAINTS=constraints.txt ...
CONSTRAINTS ?=
BUDGET ?= 1
# More options for `train`: TRAIN="--precision mixed_bfloat16 --seeds 1,2"
TRAIN ?=
RUN_DIR ?= runs
KILLS ?= 50
TEST_PROCESSES ?= 2
# The project's address, once it has one: https://HOST/OWNER/cifar_keras. The site and the package on PyPI
# use it for their links to the repository; nothing else has to change.
PROJECT_URL ?=
export PROJECT_URL
# NVIDIA's libraries are installed only if there is an NVIDIA GPU.
comma := ,
space := $(subst ,, )
EXTRAS := cv$(if $(shell command -v nvidia-smi),$(comma)and-cuda)

PIP := $(BIN)/python -m pip install --quiet $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))
PROJECT_FILES := setup.cfg pyproject.toml $(CONSTRAINTS)

.PHONY: help install demo test test-slow test-data lowest check lint types imports reproduce-all reproduce-cifar10 \
	reproduce-cifar100 report reports docs dist kills fuzz bench profiles trials parity clean

help: ## list the commands
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | \
		awk -F '\t' '{ printf "make %-20s %s\n", $$1, $$2 }'

$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	@touch $@

$(VENV)/.installed: $(VENV)/.made $(PROJECT_FILES)
	$(PIP) --editable '.[$(EXTRAS)]'
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) --editable '.[$(EXTRAS),test]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed-test
	$(PIP) --editable '.[$(EXTRAS),dev]'
	@touch $@

install: $(VENV)/.installed ## create a virtual environment and install cifar-keras into it

demo: $(VENV)/.installed ## train a small network on synthetic images and report it: two minutes, no download
	$(BIN)/cifar-keras train --recipe demo --run-dir demo/runs
	$(BIN)/cifar-keras evaluate demo/runs/demo/seed-1
	$(BIN)/cifar-keras report --run-dir demo/runs

# Without reordering, by which a file with one long test would come last and run alone.
IN_PARALLEL := --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder
test: $(VENV)/.installed-test ## run the fast tests
	$(BIN)/python -m pytest $(IN_PARALLEL)

test-slow: $(VENV)/.installed-dev ## run the slow tests: half an hour
	$(BIN)/python -m pytest $(IN_PARALLEL) -m 'slow and not data'

test-data: $(VENV)/.installed-dev ## run the tests on CIFAR in CIFAR_KERAS_DATA
	$(BIN)/python -m pytest $(IN_PARALLEL) -m data

# The tests that depend most on versions: private names, Keras' layers and optimizers, an export, a resumed
# run. The `test` extra alone is installed, as by `make test`.
LOWEST := tests/test_private.py tests/test_optimizers.py tests/experiment tests/layers/test_rrelu.py \
	tests/layers/test_batch_normalization.py tests/test_export.py tests/cli/test_end_to_end.py
lowest: ## run version-dependent tests with the lowest versions that setup.cfg allows
	$(MAKE) VENV=$(VENV)-lowest CONSTRAINTS=constraints-lowest.txt $(VENV)-lowest/.installed-test
	$(VENV)-lowest/bin/python -m pytest $(IN_PARALLEL) -W default $(LOWEST)

check: lint types imports test ## lint, types, import contracts and the fast tests

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

imports: $(VENV)/.installed-dev
	$(BIN)/lint-imports

# $(call reproduce,recipes): train each recipe, evaluate the finished runs, and report. A run that fails does
# not stop the next ones. Results published with test-time augmentation are evaluated with it.
define reproduce
	@folders=$$($(BIN)/cifar-keras train --recipe "$(1)" --budget $(BUDGET) --run-dir $(RUN_DIR) $(TRAIN)); \
	code=$$?; [ $$code -lt 128 ] || exit $$code; \
	for folder in $$folders; do \
		tta=$$(! grep -q '"augmented": true' "$$folder/run.json" || echo --tta); \
		$(BIN)/cifar-keras evaluate "$$folder" $$tta || code=1; \
	done; \
	$(BIN)/cifar-keras report --run-dir $(RUN_DIR) && exit $$code
endef
# Accept "resnet20 resnet32" as well as "resnet20,resnet32".
listed = $(subst $(space),$(comma),$(strip $(1)))

reproduce-all: $(VENV)/.installed ## train every recipe with a published figure, shortest first [BUDGET=0.1] [TRAIN="--precision ..."]
	$(call reproduce,$(or $(call listed,$(RECIPES)),$$($(BIN)/cifar-keras recipes --published)))

reproduce-cifar10: $(VENV)/.installed ## train system C on CIFAR-10 [RECIPES="resnet20 ..."] [BUDGET=0.1]
	$(call reproduce,$(call listed,$(or $(RECIPES),resnet20 resnet32 resnet56 resnet110)))

reproduce-cifar100: $(VENV)/.installed ## train system A on CIFAR-100 [RECIPES="..."] [BUDGET=0.1]
	$(call reproduce,$(call listed,$(or $(RECIPES),inception_rrelu)))

report: $(VENV)/.installed ## compare your runs with the published results, into runs/report/
	$(BIN)/cifar-keras report --run-dir $(RUN_DIR)

reports: $(VENV)/.installed ## for maintainers: write all generated files that are committed
	$(BIN)/cifar-keras report --publish
	$(BIN)/python -m benchmarks --table
	$(BIN)/python -m benchmarks.profiles --table
	$(BIN)/python -m benchmarks.trials --table

docs: $(VENV)/.installed-dev ## build the documentation site into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# README's links are relative to the repository; PyPI needs them absolute.
dist: $(VENV)/.installed-dev ## build the sdist and the wheel into dist/ [PROJECT_URL=https://...]
	rm -rf build dist
	git checkout-index --all --prefix=build/source/
ifneq ($(PROJECT_URL),)
	sed -Ei -e 's,(!\[[^]]*\])\(([^)#:][^):]*)\),\1($(PROJECT_URL)/raw/main/\2),g' \
		-e 's,\]\(([^)#:][^):]*)\),]($(PROJECT_URL)/blob/main/\1),g' build/source/README.md
	sed -Ei 's,^license_expression = .*,&\nurl = $(PROJECT_URL)\nproject_urls =\n    Changelog = $(PROJECT_URL)/blob/main/CHANGELOG.md,' \
		build/source/setup.cfg
endif
	$(BIN)/python -m build --outdir dist build/source

trials: $(VENV)/.installed ## train the first steps of every recipe on CIFAR, into reports/trials.md
	$(BIN)/python -m benchmarks.trials

# Each test draws 2,000 new cases per round. The first failure stops it and shows the case.
FUZZ_SECONDS ?= 600
fuzz: $(VENV)/.installed-test ## feed the readers new broken input for FUZZ_SECONDS (default 600)
	@end=$$((SECONDS + $(FUZZ_SECONDS))); while [ $$SECONDS -lt $$end ]; do \
		$(BIN)/python -m pytest -q -m fuzz --hypothesis-profile many || exit 1; \
	done

kills: $(VENV)/.installed-test ## kill a run KILLS times (default 50) and compare it with an uninterrupted one
	CIFAR_KERAS_KILLS=$(KILLS) $(BIN)/python -m pytest -m slow -s tests/run/test_kills.py

# MXNet needs a NumPy version with wheels for Python 3.8 to 3.11 only. MXNet 1.1.0 requires an even older
# NumPy but runs without it.
PARITY_PYTHON ?= $(PYTHON)
parity/.venv-%/.made: parity/requirements-%.txt
	$(PARITY_PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet $(if $(findstring rrelu,$*),--no-deps) --requirement $<
	@touch $@

REFERENCES := $(patsubst %,parity/.venv-%/.made,mxnet mxnet_rrelu torch)
parity: $(VENV)/.installed-test $(REFERENCES) ## compare with the operators of MXNet and PyTorch, into reports/parity.md
	$(BIN)/python -m pytest parity --report reports/parity.md

# To measure a part: BENCH="--families resnet20 --contenders ours*,torch*" (options: benchmarks/README.md).
BENCH ?=
bench: $(VENV)/.installed $(patsubst %,parity/.venv-%/.made,mxnet torch) ## compare our speed with stock Keras, PyTorch and MXNet, into reports/benchmarks.md
	$(BIN)/python -m benchmarks $(BENCH)

# To profile a part: PROFILES="--precision mixed_bfloat16 resnet20".
PROFILES ?=
profiles: $(VENV)/.installed ## profile training steps by operation, into reports/profiles.md
	$(BIN)/python -m benchmarks.profiles $(PROFILES)

clean: ## remove what these commands create, except runs/
	rm -rf $(VENV) $(VENV)-lowest demo build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache \
		.import_linter_cache .hypothesis
