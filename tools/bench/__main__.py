"""`./dev bench NAME [--json]`: becomes `python -m tools.bench.NAME`; without a name, lists them.

A measurement prints its one flat object last and alone on standard output, progress on standard
error.
"""

import importlib
import pkgutil
import runpy
import sys

from tools import bench


def names() -> list[str]:
    """Return what can be measured: the packages inside this one."""
    return sorted(module.name for module in pkgutil.iter_modules(bench.__path__) if module.ispkg)


def main(arguments: list[str]) -> int:
    """Run the command line and return its exit status."""
    if not arguments:
        for name in names():
            summary = importlib.import_module(f"{bench.__name__}.{name}").__doc__ or ""
            print(f"  ./dev bench {name:<12}{summary.partition('.')[0]}")
        return 0
    name, *rest = arguments
    if name not in names():
        print(f"There is no bench {name!r}. `./dev bench` lists them.", file=sys.stderr)
        return 2
    sys.argv = [f"./dev bench {name}", *rest]
    try:
        runpy.run_module(f"{bench.__name__}.{name}", run_name="__main__")
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
