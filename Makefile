# The commands of cifar_keras. Everything is installed into $(VENV), nothing outside of it.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# An exact set of versions, for runs that are to be reported: make CONSTRAINTS=constraints.txt ...
CONSTRAINTS ?=
BUDGET ?= 1
# Further options of the trainings: TRAIN="--precision mixed_bfloat16 --seeds 1,2"
TRAIN ?=
RUN_DIR ?= runs
KILLS ?= 50
TEST_PROCESSES ?= 2
# The project's address, once it has one: https://HOST/OWNER/cifar_keras. The site and the package on PyPI
# take their links to the repository from it; nothing else has to change.
PROJECT_URL ?=
export PROJECT_URL
# NVIDIA's libraries come along only where there is a GPU for them.
comma := ,
space := $(subst ,, )
EXTRAS := cv$(if $(shell command -v nvidia-smi),$(comma)and-cuda)

PIP := $(BIN)/python -m pip install --quiet $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))
PROJECT_FILES := setup.cfg pyproject.toml $(CONSTRAINTS)

.PHONY: help install demo test lowest check lint types imports reproduce-all reproduce-cifar10 \
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

install: $(VENV)/.installed ## make a virtual environment and install cifar-keras into it

demo: $(VENV)/.installed ## train a small network on synthetic images and report it: two minutes, no data
	$(BIN)/cifar-keras train --recipe demo --run-dir demo/runs
	$(BIN)/cifar-keras evaluate demo/runs/demo/seed-1
	$(BIN)/cifar-keras report --run-dir demo/runs

test: $(VENV)/.installed-test ## run the fast tests
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile

# What depends on versions most: private names, Keras' layers and optimizers, a run that is resumed.
LOWEST := tests/test_private.py tests/test_optimizers.py tests/experiment tests/layers/test_rrelu.py \
	tests/layers/test_batch_normalization.py tests/cli/test_end_to_end.py
lowest: ## run the tests that depend on versions with the lowest versions that setup.cfg allows
	$(MAKE) VENV=$(VENV)-lowest CONSTRAINTS=constraints-lowest.txt $(VENV)-lowest/.installed-test
	$(VENV)-lowest/bin/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile \
		-W default $(LOWEST)

check: lint types imports test ## lint, types, import contracts and the fast tests

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

imports: $(VENV)/.installed-dev
	$(BIN)/lint-imports

# $(call reproduce,recipes): train each, evaluate what is finished, and report. A run that fails does not
# stop those after it. What was published with test-time augmentation is evaluated with it.
define reproduce
	@folders=$$($(BIN)/cifar-keras train --recipe "$(1)" --budget $(BUDGET) --run-dir $(RUN_DIR) $(TRAIN)); \
	code=$$?; [ $$code -lt 128 ] || exit $$code; \
	for folder in $$folders; do \
		tta=$$(! grep -q '"augmented": true' "$$folder/run.json" || echo --tta); \
		$(BIN)/cifar-keras evaluate "$$folder" $$tta || code=1; \
	done; \
	$(BIN)/cifar-keras report --run-dir $(RUN_DIR) && exit $$code
endef
# "resnet20 resnet32" and "resnet20,resnet32" are the same.
listed = $(subst $(space),$(comma),$(strip $(1)))

reproduce-all: $(VENV)/.installed ## every recipe with a published figure, the shortest first [BUDGET=0.1] [TRAIN="--precision ..."]
	$(call reproduce,$(or $(call listed,$(RECIPES)),$$($(BIN)/cifar-keras recipes --published)))

reproduce-cifar10: $(VENV)/.installed ## system C on CIFAR-10 [RECIPES="resnet20 ..."] [BUDGET=0.1]
	$(call reproduce,$(call listed,$(or $(RECIPES),resnet20 resnet32 resnet56 resnet110)))

reproduce-cifar100: $(VENV)/.installed ## system A on CIFAR-100 [RECIPES="..."] [BUDGET=0.1]
	$(call reproduce,$(call listed,$(or $(RECIPES),inception_rrelu)))

report: $(VENV)/.installed ## compare the runs with the published results, into runs/report/
	$(BIN)/cifar-keras report --run-dir $(RUN_DIR)

reports: $(VENV)/.installed ## for maintainers: write everything that is generated and committed
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

trials: $(VENV)/.installed ## the first steps of every recipe on real CIFAR, into reports/trials.md
	$(BIN)/python -m benchmarks.trials

# A test draws 2,000 new cases in each round; the first failure ends it, with the case.
FUZZ_SECONDS ?= 600
fuzz: $(VENV)/.installed-test ## give the readers broken input for FUZZ_SECONDS (default 600), new each time
	@end=$$((SECONDS + $(FUZZ_SECONDS))); while [ $$SECONDS -lt $$end ]; do \
		$(BIN)/python -m pytest -q -m fuzz --hypothesis-profile many || exit 1; \
	done

kills: $(VENV)/.installed-test ## kill a run KILLS times (default 50) and compare with an unbroken one
	CIFAR_KERAS_KILLS=$(KILLS) $(BIN)/python -m pytest -m slow -s tests/run/test_kills.py

# The numpy that MXNet needs has wheels for Python 3.8 to 3.11. Its 1.1.0 asks for a numpy older still,
# and runs without.
PARITY_PYTHON ?= $(PYTHON)
parity/.venv-%/.made: parity/requirements-%.txt
	$(PARITY_PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet $(if $(findstring rrelu,$*),--no-deps) --requirement $<
	@touch $@

REFERENCES := $(patsubst %,parity/.venv-%/.made,mxnet mxnet_rrelu torch)
parity: $(VENV)/.installed-test $(REFERENCES) ## compare with MXNet's and PyTorch's operators, into reports/parity.md
	$(BIN)/python -m pytest parity --report reports/parity.md

# BENCH="--families resnet20 --contenders ours*,torch*" for a part; benchmarks/README.md has the options.
BENCH ?=
bench: $(VENV)/.installed $(patsubst %,parity/.venv-%/.made,mxnet torch) ## measure speed beside stock Keras, PyTorch and MXNet, into reports/benchmarks.md
	$(BIN)/python -m benchmarks $(BENCH)

# PROFILES="--precision mixed_bfloat16 resnet20" for a part.
PROFILES ?=
profiles: $(VENV)/.installed ## where the time of a training step goes, into reports/profiles.md
	$(BIN)/python -m benchmarks.profiles $(PROFILES)

clean: ## remove what these commands made, but not runs/
	rm -rf $(VENV) $(VENV)-lowest demo build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache \
		.import_linter_cache .hypothesis
