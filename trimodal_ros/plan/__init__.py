"""Aligned features and joint state in, a chunk of future joint positions out."""
