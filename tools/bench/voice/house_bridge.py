"""The bridge, which keeps a prompt that was not changed for SECONDS (instead of five minutes).

`python -m tools.bench.voice.house_bridge SECONDS ARGUMENTS`: how long it waits before it saves is
the only difference to the command `hashcenter ARGUMENTS`; what is measured comes after it.
"""

import sys

from hashcenter_bridge import cli, prompts


def main() -> int:
    """Run it."""
    seconds = float(sys.argv[1])
    prompts.UNCHANGED_S = seconds  # type: ignore[misc]
    prompts.QUIET_S = min(prompts.QUIET_S, seconds)  # type: ignore[misc]
    return cli.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
