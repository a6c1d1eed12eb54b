# `make search` finds a network, `make test` tests the project. Both install what they need first.
#
#   PYTHON=python3.12   the interpreter to build the environment with (3.11 or later)
#   VENV=FOLDER         the environment (default: .venv)
#   CONSTRAINTS=FILE    the versions that pip or uv must install there
#   STUDY=FILE          the study that `make search` runs
#   ARGS="..."          more arguments for `genome search`, `genome dashboard` or pytest
#   JOBS=N              processes for the tests

STUDY ?= studies/digits.yaml
JOBS ?= 2
ARGS ?=
CONSTRAINTS :=
PYTHONS := $(if $(PYTHON),$(PYTHON),python3 python3.14 python3.13 python3.12 python3.11)

VENV := .venv
PY := $(VENV)/bin/python
INSTALLED := $(VENV)/installed
INSTALLED_DASHBOARD := $(VENV)/installed-dashboard
INSTALLED_DEV := $(VENV)/installed-dev

HOURS := branchy economy formats others real soak
PAIRS := versions  # compares two checkouts

.PHONY: help search dashboard test test-slow browser lint format bench pictures reference structure clean
.DELETE_ON_ERROR:
.NOTPARALLEL:  # two installs into one .venv would collide

help:
	@echo 'make search      run $(STUDY) and export the best network under runs/'
	@echo 'make dashboard   show the studies under runs/ in the browser'
	@echo 'make test        run the tests (about twenty minutes on two cores)'
	@echo 'make test-slow   run the long tests'
	@echo 'make browser     install the Chromium that some tests need (Debian, Ubuntu; as root)'
	@echo 'make lint        check style and types'
	@echo 'make format      format the code'
	@echo 'make bench       run the benchmarks, except those that take hours: $(HOURS)'
	@echo 'make pictures    draw the pictures of docs/nodes again'
	@echo 'make reference   write the reference tables of docs/ from the code'
	@echo 'make structure   count packages, imports against their order, and sizes of classes and files'
	@echo 'make clean       remove caches and built files; runs/ and .venv stay'

search: $(INSTALLED)
	@$(VENV)/bin/genome search "$(STUDY)" $(ARGS)

dashboard: $(INSTALLED_DASHBOARD)
	@$(VENV)/bin/genome dashboard $(ARGS)

test: $(INSTALLED_DEV)
	@OMP_NUM_THREADS=1 $(PY) -m pytest -n $(JOBS) --dist worksteal $(ARGS)

test-slow: $(INSTALLED_DEV)
	@OMP_NUM_THREADS=1 $(PY) -m pytest -n $(JOBS) --dist worksteal -m slow $(ARGS)

browser:
	@.ci/browser

lint: $(INSTALLED_DEV)
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

format: $(INSTALLED_DEV)
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

bench: $(INSTALLED_DEV)
	@set -e; for script in $(filter-out $(HOURS:%=benchmarks/%.py) $(PAIRS:%=benchmarks/%.py), $(wildcard benchmarks/[a-z]*.py)); do \
	    echo "== $$script"; PYTHONPATH=. $(PY) "$$script"; done

pictures: $(INSTALLED)
	@$(VENV)/bin/genome show docs/genome.yaml --svg docs/genome.svg >/dev/null
	@set -e; for text in docs/nodes/*.yaml; do $(VENV)/bin/genome show "$$text" --expand --svg "$${text%.yaml}.svg" >/dev/null; done

structure: $(INSTALLED_DEV)
	@$(PY) -m tests.structure

reference: $(INSTALLED_DEV)
	@$(PY) -m tests.docs.reference
	@$(PY) -m genome.reference docs/genomes.md

clean:
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# The rules below make the environment: with uv if it is installed, else with Python's own venv and pip.

CONSTRAINED := $(if $(CONSTRAINTS),--constraint '$(CONSTRAINTS)')

define install
if command -v uv >/dev/null 2>&1; then uv pip install --quiet --python $(PY) $(CONSTRAINED) --editable '$(1)'; \
else $(PY) -m pip install -qq --disable-pip-version-check $(CONSTRAINED) --editable '$(1)'; fi \
|| { echo 'The packages could not be installed: see the lines above. The installation needs a network or a mirror.' >&2; exit 1; }
endef

$(INSTALLED): pyproject.toml | $(PY)
	@echo 'Installing into $(VENV) (the first installation takes some minutes: PyTorch is large) ...'
	@$(call install,.)
	@touch $@

$(INSTALLED_DASHBOARD): pyproject.toml | $(PY)
	@echo 'Installing into $(VENV), with the dashboard ...'
	@$(call install,.[dashboard])
	@touch $(INSTALLED) $@

$(INSTALLED_DEV): pyproject.toml | $(PY)
	@echo 'Installing into $(VENV), with the tools for tests (the first installation takes some minutes) ...'
	@$(call install,.[dev])
	@touch $(INSTALLED) $(INSTALLED_DASHBOARD) $@

$(PY):
	@if [ -n "$$(ls -A '$(VENV)' 2>/dev/null)" ] && [ ! -e '$(VENV)/pyvenv.cfg' ]; then \
	  echo '$(VENV) holds something else than a Python environment; name another folder, as in `make VENV=.venv`.' >&2; \
	  exit 1; \
	fi
	@echo 'Making $(VENV) ...'
	@found=; for python in $(PYTHONS); do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	rm -rf $(VENV); \
	if command -v uv >/dev/null 2>&1; then uv venv --quiet --python "$${found:-$(or $(PYTHON),>=3.11)}" $(VENV); \
	elif [ -z "$$found" ]; then \
	  echo 'No Python 3.11 or later was found; tried: $(PYTHONS). Install one and run `make PYTHON=/path/to/python3.11`.' >&2; exit 1; \
	elif ! "$$found" -m venv $(VENV); then \
	  rm -rf $(VENV); \
	  echo "$$found could not make $(VENV); on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; \
	fi
