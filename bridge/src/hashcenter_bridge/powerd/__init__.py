"""`hashcenter powerd`: the one small program that may set GPU limits, so that the bridge need not.

rules.py (the owner's ranges) -> decide.py (pure: what each limit should be) <- server.py (a UNIX
socket, one bridge at a time) -> gpus.py (the driver). client.py is the bridge's end.
"""
