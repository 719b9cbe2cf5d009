"""The version of the wire: what a rig and a house must agree on before one controls the other.

Canonical source: bridge/src/hashcenter_bridge/wire. The copy in the integration is written by
`./dev wire` and is byte-identical.
"""

from typing import Final

#: What this code speaks. Fields are added within a version; a removed or re-typed field is a new
#: one.
PROTOCOL: Final = 1

#: The oldest version this code still understands (N and N-1).
MIN_PROTOCOL: Final = 1


def can_control(protocol: int, min_protocol: int) -> bool:
    """Return whether a peer that speaks `protocol` down to `min_protocol` may exchange requests.

    Telemetry is shown in any case; a mismatch only stops control.
    """
    return min_protocol <= PROTOCOL and protocol >= MIN_PROTOCOL
