"""Episodes in, a checkpoint folder out."""
