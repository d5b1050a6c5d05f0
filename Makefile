# A thin front for dev.py. PYTHON chooses the interpreter: make test PYTHON=python3.13
PYTHON ?= python3
ARGS ?=

.PHONY: help compare test lint docs build verify clean

help:
	@$(PYTHON) dev.py --help

compare test lint docs build verify:
	$(PYTHON) dev.py $@ $(ARGS)

clean:
	rm -rf .venv build dist docs/_build bench-results tests/c/build ./*.egg-info
	rm -f fastprims/*.so fastprims/*.pyd
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache .benchmarks
