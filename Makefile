# `make demo` and `make test` work on a fresh machine with any Python >= 3.11; PYTHON=... chooses which.
PYTHON ?= python3
PIP = .venv/bin/python -m pip --disable-pip-version-check --quiet
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: demo test lint clean
.DELETE_ON_ERROR:

# A sparse model and its dense twin side by side, a core each. Stopped, both go on from their last checkpoints.
TRAIN = .venv/bin/python scripts/train.py --data dsprites --image-size 32 --beta 4 --n-steps 10000 --n-threads 1
SPARSE = --gate binary --gate-options estimator threshold --control target_density --target-density 0.02
demo: .venv/installed
	@mkdir -p runs
	@trap 'kill $$dense 2> /dev/null' INT TERM EXIT; \
	$(TRAIN) --name demo-dense --gate none > runs/demo-dense.log 2>&1 & dense=$$!; \
	$(TRAIN) --name demo $(SPARSE) && { wait $$dense || { tail -n 1 runs/demo-dense.log; exit 1; }; }
	@echo
	@.venv/bin/python scripts/compare.py runs/demo-dense runs/demo
	@echo
	@.venv/bin/python scripts/export.py runs/demo saved_models/demo --overwrite
	@.venv/bin/python scripts/report.py runs/demo

# Two processes of one thread each: a tiny model is quickest on one, and two cores are the least there is.
# `worksteal` keeps neighbors together, so that what a file's tests share is seldom made twice.
test: export OMP_NUM_THREADS = 1
test: export TF_NUM_INTRAOP_THREADS = 1
test: export TF_NUM_INTEROP_THREADS = 1
test: .venv/installed-dev
	.venv/bin/python -m pytest --numprocesses 2 --dist worksteal --durations 30
	KERAS_BACKEND=jax .venv/bin/python -m pytest --numprocesses 2 --dist worksteal tests/gates tests/layers tests/training \
		tests/sparsity/test_sparsify.py tests/sparsity/test_misuse.py tests/sparsity/test_selection.py tests/sparsity/test_pruning.py \
		tests/sparsity/test_constraints.py tests/sparsity/test_ways_of_control.py tests/sparsity/test_compact.py

lint: .venv/installed-dev
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/lint-imports

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed, this is " + sys.version.split()[0] + ". Use make PYTHON=/path/to/python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(PIP) install --upgrade pip
	touch $@

.venv/installed: .venv/python pyproject.toml constraints.txt
	$(PIP) install --constraint constraints.txt --editable ".[report]"
	touch $@

.venv/installed-dev: .venv/installed
	$(PIP) install --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf .venv build dist *.egg-info
