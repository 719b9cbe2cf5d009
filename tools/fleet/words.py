"""What a simulated rig says: the wire's own messages, each with a number.

The number grows by one with every message of a topic, so that whoever hears them all can tell that
none was lost. A field that receivers do not know is ignored by them.
"""

from hashcenter_bridge.wire.messages import DeviceState, RigState


class NumberedState(RigState):
    """The heartbeat, numbered."""

    number: int


class NumberedDevice(DeviceState):
    """A device's state, numbered."""

    number: int
