"""A simulated SO-101 on a table that behaves like the real driver and controller."""

import os

os.environ.setdefault('MUJOCO_GL', 'egl')       # render without a display; read at import
os.environ.setdefault('LP_NUM_THREADS', '1')    # software GL: one thread a process
