"""How ASICs are talked to, shared by their drivers: TCP with JSON, HTTP, Whatsminer's two ways.

A transport turns whatever goes wrong into a DeviceFault that names the machine by its address and
carries no password, token or worker. What a machine sends is never trusted to be of any shape:
`reply.py` digs in it without raising.
"""

from ...errors import DeviceFault

#: A machine on the same network that takes longer to accept a connection is not there.
CONNECT_WITHIN_S = 4.0
#: Some stock firmware thinks for 21 s; the core's own limit is a little longer than this.
ANSWER_WITHIN_S = 24.0
MAX_ANSWER_BYTES = 2 * 1024 * 1024


def unreachable(address: str, why: str) -> DeviceFault:
    """Nobody answers at `address`."""
    return DeviceFault("unreachable", f"{address} does not answer: {why}")


def unreadable(address: str, why: str) -> DeviceFault:
    """`address` answered what nobody understands."""
    return DeviceFault("unreadable", f"{address} sent an answer that cannot be read: {why}")


def refused(address: str, what: str, why: str) -> DeviceFault:
    """`address` said no to `what`; `why` is in its own words."""
    return DeviceFault("refused", f"{address} refused to {what}: {why[:150]}")


def login_failed(address: str, hint: str = "") -> DeviceFault:
    """`address` did not take the credentials."""
    return DeviceFault(
        "login_failed",
        f"{address} did not take the password: see its password_file or password_env"
        + (f" ({hint[:150]})" if hint else ""),
    )


def busy(address: str, why: str) -> DeviceFault:
    """`address` cannot be set just now."""
    return DeviceFault("busy", f"{address} cannot be set just now: {why[:150]}")


def because(err: BaseException) -> str:
    """Return what went wrong in a few words, for a fault's text."""
    if isinstance(err, TimeoutError):
        return "no answer in time"
    if isinstance(err, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(err, ConnectionError):
        return "the connection broke"
    return (getattr(err, "strerror", None) or str(err) or type(err).__name__)[:150]
