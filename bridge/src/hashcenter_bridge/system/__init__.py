"""The bridge as a part of the machine: what `hashcenter install` writes and `uninstall` takes away.

units/ (the files as they are installed) -> plan.py (what would be done, and why) -> install.py
(shows it, does it, undoes it).
"""
