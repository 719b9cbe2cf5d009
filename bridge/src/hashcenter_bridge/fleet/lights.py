"""An ASIC's screen in a child's room: dark while a lease asks for it, then as its owner had it.

Pure. `display` is the machine's own setting of its screen as it was read back (0: dark; None: it
has none that can be set), `owners` what its owner had before it was made dark, kept on the disk.
"""


def decide(
    display: float | None, owners: float | None, *, dark: bool
) -> tuple[float | None, float | None]:
    """Return what to keep of the owner's setting, and what to set now (None: nothing)."""
    if display is None:
        return owners, None
    if dark:
        return (owners, None) if display == 0 else (display, 0.0)
    if owners is None or display != 0:
        # It is as its owner had it, or somebody has changed it since.
        return None, None
    return owners, owners
