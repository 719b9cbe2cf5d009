"""Many rigs against one broker: each speaks the wire as a bridge does, and obeys.

No process is started for a rig and no driver is read; everything else is the bridge's own: the
line to the broker with its session and its will, the intake of requests, the leases, the schedule
of what is said when.
"""
