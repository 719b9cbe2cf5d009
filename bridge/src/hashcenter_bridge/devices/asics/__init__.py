"""Drivers of ASICs, one firmware a file, each of which you can delete.

Each has two halves: pure functions that understand what the firmware sends, and a `Plugin` that
asks and tells (`devices/asic.py` says what it must do). Transports are shared; drivers do not know
each other.
"""
