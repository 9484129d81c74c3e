# make demo    the robot does what it is told (INSTRUCTION="..." CHECKPOINT=... for your own)
# make teleop  you move the robot, or take over from a policy (ARGS=--policy)
# make record  you record episodes, by keys
# make robots  files to simulate the other robots of config/scenes with, 290 MB
# make test    every test; installs files of other robots (290 MB), Chromium and an npm package too
# make help    the rest
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
INSTRUCTION ?=
# Anybody's words, quotes and dollars too: read by neither make nor the shell.
override INSTRUCTION := $(value INSTRUCTION)
export INSTRUCTION
OUT ?= out
CHECKPOINT ?= models/so101_tabletop
SHELL := /bin/bash

.PHONY: help demo teleop record robots test lint reference setup gl browser mcap-js figures figures-ros checkpoint retrain retrain-control \
        benchmark-alignment benchmark-latency benchmark-storage benchmark-takeover benchmark-deployment astribot soak check-lerobot clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile
	@echo 'make setup        virtual environment in $(VENV) and the system GL libraries'
	@echo 'make lint         ruff'
	@echo 'make reference    doc/reference and security/policies, from the code'
	@echo 'make figures      lockstep figures of doc/reference/figures.md into $(OUT)/figures'
	@echo 'make figures-ros  figures through ROS in real time into $(OUT)/figures'
	@echo 'make benchmark-alignment  what alignment is worth, hours; needs make checkpoint'
	@echo 'make benchmark-latency    age, overhead and time from fault to hold, 30 min; leave the machine alone'
	@echo 'make benchmark-storage    speed and cost of recording, kill -9 a hundred times; leave the machine alone'
	@echo 'make benchmark-takeover   how smoothly the command changes hands, 5 min; leave the machine alone'
	@echo 'make benchmark-deployment what plans fastest on this machine, 3 min; leave the machine alone'
	@echo 'make astribot     import, cut, train and replay two episodes of a robot nobody here built; DATA='
	@echo 'make soak                 an hour of tasks and faults: memory, threads, holds'
	@echo 'make retrain      a camera was moved: watch, take over, train on that, compare: half an hour'
	@echo 'make check-lerobot        exports in the hands of the real lerobot, 5 GB into $(LEROBOT)'
	@echo 'make checkpoint   demonstrate, train, correct, train: the shipped checkpoint, 1 to 1.5 h on two cores'

setup: $(READY) gl

$(READY): requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --disable-pip-version-check -q torch==$$(sed -n 's/^torch==//p' requirements.txt)
	$(BIN)/pip install --disable-pip-version-check -q -r requirements.txt
	@touch $@

robots: $(VENV)/.robots

$(VENV)/.robots: requirements-robots.txt $(READY)
	$(BIN)/pip install --disable-pip-version-check -q --no-deps -r requirements-robots.txt
	@touch $@

# MuJoCo renders off screen by EGL: system libraries, by apt where that is allowed.
GL_CHECK := $(BIN)/python -m trimodal_ros.sim check
GL_PACKAGES := libegl1 libegl-mesa0 libgl1-mesa-dri

gl: $(READY)
	@$(GL_CHECK) 2>/dev/null || { \
	  sudo=; [ $$(id -u) = 0 ] || sudo='sudo -n'; \
	  $$sudo apt-get update -qq && $$sudo apt-get install -y -qq --no-install-recommends $(GL_PACKAGES); \
	} >/dev/null 2>&1; $(GL_CHECK)

# Pages are opened in a browser by the tests, and those skipped where apt may not install one.
BROWSERS := chromium chromium-browser google-chrome

browser:
	@for name in $(BROWSERS); do command -v $$name && exit; done >/dev/null; \
	  sudo=; [ $$(id -u) = 0 ] || sudo='sudo -n'; \
	  { $$sudo apt-get update -qq && $$sudo apt-get install -y -qq --no-install-recommends chromium; \
	  } >/dev/null 2>&1 || echo 'no Chromium: tests of pages in a browser will be skipped'

demo: setup
	$(BIN)/python -m trimodal_ros.nodes.demo --out $(OUT)/demo --checkpoint $(CHECKPOINT) --instruction "$$INSTRUCTION"

teleop: setup
	$(BIN)/python -m trimodal_ros.nodes.teleop_demo --out $(OUT)/teleop --checkpoint $(CHECKPOINT) --instruction "$$INSTRUCTION" $(ARGS)

record: setup
	$(BIN)/python -m trimodal_ros.nodes.record_demo --out $(OUT)/recordings --checkpoint $(CHECKPOINT) $(ARGS)

# The MCAP reader of npm, which Foxglove reads with; its test is skipped where it can't be had.
mcap-js:
	@cd test/mcap_js && { cmp -s package-lock.json node_modules/.installed || { \
	  npm ci --ignore-scripts --no-audit --no-fund >/dev/null 2>&1 \
	  && cp package-lock.json node_modules/.installed; }; } \
	  || echo 'no npm, or no registry: the test of its MCAP reader will be skipped'

test: setup robots browser mcap-js
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .

reference: setup
	$(BIN)/python -m trimodal_ros.nodes.reference

LOCKSTEP := $(BIN)/python -m trimodal_ros.evaluate rollout --checkpoint $(CHECKPOINT)

figures: setup
	$(LOCKSTEP) --episodes 200 --json $(OUT)/figures/lockstep.json
	$(LOCKSTEP) --episodes 200 --swap-instruction --json $(OUT)/figures/swap.json
	$(LOCKSTEP) --episodes 200 --templates config/instructions/heldout.txt --json $(OUT)/figures/heldout.json
	for n in 2 4 5 6 8; do $(LOCKSTEP) --episodes 200 --seed 1500000 --replan-steps $$n \
	  --json $(OUT)/figures/steps_$$n.json || exit; done
	for n in 6 2; do for how in "--blending none" "--blending prefix" "--blending ensemble" \
	  "--on-limit clamp"; do $(LOCKSTEP) --episodes 100 --seed 1700000 --replan-steps $$n $$how \
	  --json "$(OUT)/figures/$$how $$n.json" || exit; done; done

figures-ros: setup
	$(LOCKSTEP) --episodes 50 --ros --json $(OUT)/figures/ros.json

# The shipped checkpoint; each command goes on where it was interrupted.
WORK ?= $(OUT)/checkpoint
SIM := $(BIN)/python -m trimodal_ros.sim
TRAIN := OMP_WAIT_POLICY=passive $(BIN)/python -m trimodal_ros.train

checkpoint: setup
	$(SIM) demonstrate --out $(WORK)/demonstrations --episodes 800
	$(TRAIN) --episodes $(WORK)/demonstrations --out $(WORK)/first
	$(SIM) correct --checkpoint $(WORK)/first --out $(WORK)/round1 --episodes 400 --seed 10000
	$(TRAIN) --episodes $(WORK)/demonstrations $(WORK)/round1 --initial $(WORK)/first \
	  --out $(WORK)/second --steps 2000 --start-steps 0
	$(SIM) correct --checkpoint $(WORK)/second --out $(WORK)/round2 --episodes 400 --seed 20000
	$(TRAIN) --episodes $(WORK)/demonstrations $(WORK)/round1 $(WORK)/round2 \
	  --initial $(WORK)/second --out $(WORK)/third --steps 2000 --start-steps 0
	$(SIM) correct --checkpoint $(WORK)/third --out $(WORK)/round3 --episodes 400 --seed 30000
	$(TRAIN) --episodes $(WORK)/demonstrations $(WORK)/round1 $(WORK)/round2 $(WORK)/round3 \
	  --initial $(WORK)/third --out $(WORK)/fourth --steps 5000 --start-steps 0
	@echo 'the new checkpoint is $(WORK)/fourth; models/ is left as it is'

# What doc/how-to/retraining.md shows: the on-policy round as a user with a real arm does it. Somebody
# bumped the front camera, which makes the policy weak; a scripted person takes over when it gets
# nowhere, and what was recorded of that goes into the next one. Goes on where it was interrupted.
ROUND ?= $(OUT)/moved_camera
BUMPED := $(ROUND)/scene.yaml
ROLLOUT := $(BIN)/python -m trimodal_ros.evaluate rollout --episodes 200 --seed 1900000
NEXT := $(TRAIN) --episodes $(ROUND)/watched --initial $(CHECKPOINT) --steps 1000 --start-steps 0
PAIRED := $(BIN)/python -m benchmarks.paired

retrain: setup
	$(BIN)/python -m benchmarks.moved_camera --out $(BUMPED) --by-m 0.0 0.05 0.0
	$(SIM) watch --checkpoint $(CHECKPOINT) --scene $(BUMPED) --out $(ROUND)/watched --episodes 200 \
	  --seed 40000
	$(NEXT) --out $(ROUND)/retrained
	$(ROLLOUT) --checkpoint $(CHECKPOINT) --scene $(BUMPED) --json $(ROUND)/weak.json
	$(ROLLOUT) --checkpoint $(ROUND)/retrained --scene $(BUMPED) --json $(ROUND)/retrained.json
	$(PAIRED) --first $(ROUND)/weak.json --second $(ROUND)/retrained.json

# What the takeovers are worth beside the policy's own successes alone, and the weights beside none;
# and what is left of it where the camera was before.
retrain-control: retrain
	$(NEXT) --out $(ROUND)/own --frame-weights.intervention 0
	$(NEXT) --out $(ROUND)/unweighted --before-s 0 --frame-weights.intervention 1 \
	  --frame-weights.policy 1
	for name in own unweighted; do $(ROLLOUT) --checkpoint $(ROUND)/$$name --scene $(BUMPED) \
	  --json $(ROUND)/$$name.json && $(PAIRED) --first $(ROUND)/$$name.json \
	  --second $(ROUND)/retrained.json || exit; done
	$(ROLLOUT) --checkpoint $(ROUND)/retrained --json $(ROUND)/before.json

# What doc/explanation/alignment.md shows; hours on two cores, goes on where it was interrupted.
HELD_OUT := $(WORK)/held_out

benchmark-alignment: setup
	$(SIM) demonstrate --out $(HELD_OUT) --episodes 200 --seed 500000
	OMP_WAIT_POLICY=passive $(BIN)/python -m benchmarks.alignment run --held-out $(HELD_OUT) \
	  --episodes $(WORK)/demonstrations $(WORK)/round1 $(WORK)/round2 $(WORK)/round3 \
	  --out $(OUT)/alignment
	$(BIN)/python -m benchmarks.alignment table --out $(OUT)/alignment
	$(BIN)/python -m benchmarks.loss_memory

# What doc/explanation/latency.md shows; in real time.
benchmark-latency: setup
	$(BIN)/python -m benchmarks.latency run --out $(OUT)/latency.json
	$(BIN)/python -m benchmarks.latency table --of $(OUT)/latency.json

# What doc/how-to/recording.md shows of the storage; in real time. Root can also run `power`.
benchmark-storage: setup
	$(BIN)/python -m benchmarks.recorder rate $(OUT)
	$(BIN)/python -m benchmarks.recorder cost $(OUT)
	$(BIN)/python -m benchmarks.recorder kill $(OUT)
	$(BIN)/python -m benchmarks.recorder kill $(OUT) --width 32 --height 24

# What doc/how-to/teleoperation.md shows; the second in real time.
benchmark-takeover: setup
	$(BIN)/python -m benchmarks.takeover steps --takeovers 500
	$(BIN)/python -m benchmarks.takeover latency

# What doc/how-to/deployment.md speaks of: PyTorch, eager and compiled, and every provider that is here.
benchmark-deployment: setup
	$(BIN)/python -m trimodal_ros.export --checkpoint $(CHECKPOINT) --out $(OUT)/exported --benchmark

# What doc/explanation/foreign-robot.md shows: two episodes of a robot that nobody here built, half an
# hour. DATA is the folder of the LeRobot dataset. Goes on where it was interrupted.
DATA ?= ../shared/data/astribot_s1
S1 := $(OUT)/astribot
S1_YAML := config/robots/astribot_s1.yaml
S1_TRAIN := $(TRAIN) --robot $(S1_YAML) --processes 1 --start-steps 0
S1_JUDGE := $(BIN)/python -m trimodal_ros.evaluate replay --workers 1

astribot: setup
	$(BIN)/python -m trimodal_ros.record import "$(DATA)" --out $(S1)/recordings --images jpeg \
	  --robot $(S1_YAML) --state joints_dict.joints_position_state \
	  --action joints_dict.joints_position_command
	for n in 0 1; do \
	  seen=$(S1)/recordings/episode_00000$$n; other=$(S1)/recordings/episode_00000$$((1 - n)); \
	  parts=$(S1)/parts_$$n; short=$(S1)/short_$$n; long=$(S1)/long_$$n; \
	  $(BIN)/python -m trimodal_ros.record cut $$seen --out $$parts --every-s 4 && \
	  $(S1_TRAIN) --episodes $$parts --out $$short --steps 200 && \
	  $(S1_TRAIN) --episodes $$parts --out $$long --steps 2000 && \
	  for judged in seen other; do echo "-- episode $$n, replayed: $$judged" && \
	    $(S1_JUDGE) --bags $${!judged} --checkpoint $$long --baseline $$short \
	      --json $$long.$$judged.json --html $$long.$$judged.html || exit; done || exit; \
	done

soak: setup
	$(BIN)/python -m benchmarks.soak --out $(OUT)/soak.json

# The newest lerobot that this Python can have: 0.6 needs 3.12, as in PYTHON=python3.12.
LEROBOT ?= $(OUT)/lerobot

check-lerobot: setup
	[ -x $(LEROBOT)/bin/python ] || $(PYTHON) -m venv $(LEROBOT)
	$(LEROBOT)/bin/pip install --disable-pip-version-check -q 'lerobot[dataset]<0.7'
	LEROBOT_PYTHON=$(LEROBOT)/bin/python $(BIN)/python -m pytest test/test_lerobot_loader.py

clean:
	rm -rf build install log $(OUT)
