"""Hashcenter's bridge: the daemon on a rig that measures, hashes and answers."""

__version__ = "0.1.0"
