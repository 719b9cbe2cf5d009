"""Starts Home Assistant with its mDNS on loopback: `python -m tools.demo.hass --config FOLDER`.

With its first HTTP session Home Assistant opens an mDNS socket on every interface, whatever its
network settings say. The clone itself leaves the import path: Home Assistant would find the
integration there, and not in its own folder as on its owner's machine. Everything else is what the
command `hass` does.
"""

import sys
from typing import Any

from homeassistant.__main__ import main
from homeassistant.components import zeroconf
from homeassistant.core import HomeAssistant
from zeroconf import IPVersion

from tools.demo.ports import HOST
from tools.paths import ROOT


def _on_loopback(hass: HomeAssistant) -> dict[str, Any]:  # noqa: ARG001 - its signature
    return {"interfaces": [HOST], "ip_version": IPVersion.V4Only, "unicast": True}


if __name__ == "__main__":
    assert callable(zeroconf._async_get_zc_args)  # noqa: SLF001 - it has no setting for this
    zeroconf._async_get_zc_args = _on_loopback  # noqa: SLF001
    sys.path[:] = [path for path in sys.path if path not in ("", str(ROOT))]
    sys.exit(main())
