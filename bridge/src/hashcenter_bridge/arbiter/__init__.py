"""What runs inside the leases: pure decisions, `decide(state, seen, now) -> (state, wanted)`.

Nothing here acts, waits, logs or reads a clock; `loop.py` does all four. Seconds are the loop's
clock.
"""
