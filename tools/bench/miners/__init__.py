"""Sixty-four simulated ASICs on one bridge, and a thousand virtual days of random demands.

The machines are real servers of eight protocols, sixteen more addresses are dead; the figures and
their method are in docs/bench.md.
"""
