# Each target sets up what it needs and then does its one job.
PY := .venv/bin/python
INSTALLED := .venv/.installed

.PHONY: demo test check bench

demo: $(INSTALLED)  ## Titanic, from data to a scored submission in the sandbox
	.venv/bin/fkp run titanic

test: $(INSTALLED)  ## the whole suite, a file of tests on each core
	$(PY) -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --durations 20

check: $(INSTALLED)  ## format, style, types, import rules, dead code
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	.venv/bin/lint-imports
	$(PY) -m vulture

bench: $(INSTALLED)  ## timings, as ratios measured in one run
	for file in tests/benchmarks/*.py; do $(PY) $$file || exit 1; done

$(INSTALLED): setup.cfg pyproject.toml
	test -x $(PY) || python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --editable '.[all,dev,offline]'
	touch $@
