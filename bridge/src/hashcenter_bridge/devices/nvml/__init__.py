"""NVIDIA GPUs through the driver's own library (NVML).

plugin.py (asyncio) -> worker.py (the one thread that calls NVML) -> card.py (what one GPU answers)
events.py waits for what GPUs report by themselves, on a second thread.
"""

from .plugin import Plugin

__all__ = ["Plugin"]
