"""A planned trajectory in, what may be sent to the controller out."""
