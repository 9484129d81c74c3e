"""A simulated SO-101 on a table that behaves like the real driver and controller."""
