"""What people install: everything `./dev package` writes to dist/, reproducibly.

parts.py (Python from Debian, packages from the lock, the bridge's wheel) -> tree.py (one
self-contained folder, /opt/hashcenter/VERSION) -> tarball.py, deb.py, image.py; app.py has only the
wheel and the lock, and is built on the machine that runs it.
"""
