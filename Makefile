# make run    trains a first model and serves it   (DATASET=zip, folder or URL; ONCE=1)
# make test   format, lint, types, import rules, all tests but those in a browser
# make test-fast   the unit tests, for the loop while coding
# make test-browser   the dashboard and the predictor's page in a real Chromium   (apt install chromium)
# make test-docker   builds the images and tries them out (needs a Docker engine and docker-compose)
# make test-faults   the long tests of what is promised when things go wrong (docs/reliability.md)
# make test-attack   attacks on running services: nobody else waits, memory stays bounded (docs/reliability.md)
# make test-cluster   three hosts on this one, a node cut off in mid-training (needs root and PostgreSQL; minutes)
# make soak   20 minutes of constant requests beside training: does anything fail or grow?   (ARGS="--minutes 2")
# make bench-train   training measured against the seed recipe, hours   (ARGS="--part v2 --seeds 1")
# make bench-predict   serving measured against the tutorial's way (needs wrk; ARGS="--part speed")
# make bench-train-profile   where the time of training goes
# make bench-labelling  what a person has to confirm, simulated, hours  (ARGS="--draws 1")
# make bench-labels   what 10 to 200 labels bring, all counted, hours   (ARGS="--labels 10 --draws 3")
# make bench-shots   what several shots of one thing bring, combined (ARGS="--max-minutes 10")
# make bench-wrong-labels   how many planted wrong labels a report suspects, an hour   (ARGS="--planted 150:9")
# make bench-check   how long checking 20,000 images takes   (ARGS="--against ../other-checkout")
# make bench-new-look   what a trained model keeps when images of a new look are added
# make capacity   from wanted rates to machines   (ARGS="--predictions-per-second 1000 --jobs-per-day 100")
# make house   size, long functions, full folders, import circles, duplicate names   (ARGS="--check")
# make bench-queue   how many jobs one database takes, SQLite and PostgreSQL (apt install postgresql)
# make bench-ray   what Ray adds to a job, and how many jobs an hour a small cluster takes
# make bench-gateway   what the gateway costs (apt install nginx wrk)
# make bench-store   how long a version takes to be published and loaded, folder and S3
# make bench-api   how fast the trainer answers while a job trains
# make docs   the documentation as a site in site/, strictly
# make package   wheel and sdist in dist/
# make sbom   the bill of materials of the lock, CycloneDX, in dist/
# make images   the images of the containers as one file in dist/ (needs a Docker engine)
# make screenshots   the images of the dashboard in docs/images (needs Chromium; trains a model)
# make starter-fonts   installs the fonts that the starter is drawn in (Debian, root)
# make starter   the pre-trained weights in the package, trained on drawn text (eight hours on two
#   cores; goes on where it was cut; ARGS="--minutes 60 --network conv")
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
# Four processes even on two cores, as many tests wait; files start in the order of tests/conftest.py.
PARALLEL := -n 4 --dist loadfile --no-loadscope-reorder

.PHONY: run test test-fast test-browser docs test-docker test-faults test-attack test-cluster soak bench-train bench-train-profile bench-predict bench-labels bench-labelling bench-wrong-labels bench-new-look bench-check bench-shots bench-queue bench-ray bench-gateway bench-store bench-api capacity house starter starter-fonts screenshots package sbom images format lock clean

run: $(INSTALLED)
	@$(BIN)/readsmith up --first-job $(if $(DATASET),--dataset "$(DATASET)") $(if $(ONCE),--once)

test: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest $(PARALLEL) --ignore=tests/browser

test-fast: $(INSTALLED)
	$(BIN)/pytest -n auto --dist loadfile tests/unit

test-browser: $(INSTALLED)
	$(BIN)/pytest $(PARALLEL) tests/browser $(ARGS)

test-docker: $(INSTALLED)
	READSMITH_TEST_DOCKER=1 $(BIN)/pytest -s tests/docker

test-faults: $(INSTALLED)
	READSMITH_TEST_FAULTS=1 $(BIN)/pytest -s --durations=0 tests/faults $(ARGS)

test-attack: $(INSTALLED)
	READSMITH_TEST_ATTACK=1 $(BIN)/pytest -n 2 --dist loadfile --durations=0 tests/attack $(ARGS)

test-cluster: $(INSTALLED)
	READSMITH_TEST_CLUSTER=1 $(BIN)/pytest -s tests/cluster $(ARGS)

soak: $(INSTALLED)
	$(BIN)/python -m benchmarks.soak $(ARGS)

capacity: $(INSTALLED)
	$(BIN)/python -m benchmarks.capacity $(ARGS)

house: $(INSTALLED)
	@$(BIN)/python -m benchmarks.house $(ARGS)

bench-queue: $(INSTALLED)
	$(BIN)/python -m benchmarks.job_queue $(ARGS)

bench-ray: $(INSTALLED)
	$(BIN)/python -m benchmarks.executors $(ARGS)

bench-gateway: $(INSTALLED)
	$(BIN)/python -m benchmarks.gateway $(ARGS)

bench-store: $(INSTALLED)
	$(BIN)/python -m benchmarks.model_store $(ARGS)

bench-api: $(INSTALLED)
	$(BIN)/python benchmarks/api_latency.py $(ARGS)

docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

screenshots: $(INSTALLED)
	$(BIN)/python -m tests.browser.screenshots

package: $(INSTALLED)
	$(BIN)/python -c "from setuptools import build_meta as b; b.build_sdist('dist'); b.build_wheel('dist')"

sbom: $(INSTALLED)
	@mkdir -p dist
	$(BIN)/python .ci/sbom.py requirements.lock >dist/readsmith.cdx.json

VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' shared/__init__.py)
IMAGES = $(foreach name,gateway trainer predictor,readsmith-$(name):$(VERSION))
images:
	@mkdir -p dist
	for name in gateway trainer predictor; do \
	  docker build --target $$name -t readsmith-$$name:$(VERSION) $(ARGS) . || exit 1; done
	docker save -o dist/readsmith-$(VERSION)-images.tar $(IMAGES)

starter-fonts:
	sh trainer/pipeline/starter/drawing/fonts/install.sh

starter: $(INSTALLED)
	$(BIN)/python -m trainer.pipeline.starter --publish $(ARGS)

bench-train: $(INSTALLED)
	$(BIN)/python -m benchmarks.train $(ARGS)

bench-train-profile: $(INSTALLED)
	$(BIN)/python -m benchmarks.training_profile $(ARGS)

bench-labels: $(INSTALLED)
	$(BIN)/python -m benchmarks.few_labels $(ARGS)

bench-labelling: $(INSTALLED)
	$(BIN)/python -m benchmarks.labelling $(ARGS)

bench-wrong-labels: $(INSTALLED)
	$(BIN)/python -m benchmarks.wrong_labels $(ARGS)

bench-check: $(INSTALLED)
	$(BIN)/python -m benchmarks.check $(ARGS)

bench-new-look: $(INSTALLED)
	$(BIN)/python -m benchmarks.new_look $(ARGS)

bench-shots: $(INSTALLED)
	$(BIN)/python -m benchmarks.shots $(ARGS)

bench-predict: $(INSTALLED)
	$(BIN)/python -m benchmarks.predict $(ARGS)

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Written anew with `uv`, then installed by the next make; the services' locks are parts of the first,
# cluster.lock with what more than one machine needs.
COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header
CLUSTER := --extra postgres --extra s3 --extra ray
lock:
	$(COMPILE) pyproject.toml --extra trainer --extra predictor $(CLUSTER) --extra dev --extra docs -o requirements.lock
	$(COMPILE) pyproject.toml --extra trainer -c requirements.lock -o trainer/requirements.lock
	$(COMPILE) pyproject.toml --extra trainer $(CLUSTER) -c requirements.lock -o trainer/cluster.lock
	$(COMPILE) pyproject.toml --extra predictor -c requirements.lock -o predictor/requirements.lock
	$(COMPILE) pyproject.toml --extra predictor --extra s3 -c requirements.lock -o predictor/cluster.lock

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(INSTALLED): requirements.lock
	@PYTHON="$(PYTHON)" sh .ci/install
