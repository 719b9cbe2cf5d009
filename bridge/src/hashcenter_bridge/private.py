"""Writes a file that only the bridge's user may read, whole or not at all, whoever runs it."""

import os
from pathlib import Path


def write_private(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, mode 0600. Raises OSError.

    What root writes by hand (`sudo hashcenter key`) belongs to the owner of the folder: the bridge,
    which has no privileges, has to read it afterwards.
    """
    part = path.with_name(f"{path.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        if os.geteuid() == 0:
            folder = path.parent.stat()
            os.fchown(descriptor, folder.st_uid, folder.st_gid)
        file.write(content)
    part.replace(path)
