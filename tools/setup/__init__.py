"""Prepares what a command needs, once: uv, Python 3.14, the environments, the model, programs.

Runs on the host's own Python (3.11 or newer, standard library only), because it makes the
environments that the rest of `tools` runs in. Each step looks first and returns at once if there
is nothing to do.
"""
