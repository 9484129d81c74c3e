"""A checkpoint in, numbers, pictures and an exit code out."""
