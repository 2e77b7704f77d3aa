PYTHON ?= python3
export PYTHON

# A shell inside another venv with ROS wheels would hand its libraries to ours.
ifdef _ROS_WHEELS_BOOTSTRAP_COMPLETE
unexport _ROS_WHEELS_BOOTSTRAP_COMPLETE LD_LIBRARY_PATH
endif

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench docs clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' Makefile

setup: ## build .venv, or do nothing where it fits (PYTHON=python3 picks the Python)
	@sh requirements/setup.sh

demo: setup ## drive the simulated robot around a course (ARGS="--course slalom --seed 3")
	@.venv/bin/python -m ebm_mpc_ros demo $(ARGS)

test: setup ## run the tests (ARGS="-k estimation -x")
	@.venv/bin/python -m pytest $(ARGS)

lint: setup ## check style, format and types
	@.venv/bin/python -m ruff check .
	@.venv/bin/python -m ruff format --check .
	@.venv/bin/python -m mypy

bench: setup ## run every benchmark (ARGS="--quick --check")
	@.venv/bin/python -m pip install -qq --disable-pip-version-check -r requirements/bench.txt
	@for file in $$(grep -l __main__ bench/*.py); do \
	  echo "== $$file"; .venv/bin/python "$$file" $(ARGS) || failed=1; \
	done; exit $${failed:-0}

docs: setup ## run the commands of the documents in fresh clones (ARGS="README.md --fresh")
	@.venv/bin/python docs/commands.py $(ARGS)

clean: ## remove caches and colcon's folders; .venv and out/ stay
	@rm -rf build install log .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +
