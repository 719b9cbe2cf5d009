"""The miner's state in xmrig's words: the documents behind `/2/summary` and `/2/backends`.

Field names, units and nulls are those of xmrig 6 (its doc/API.md and doc/api/2). xmrig counts a
difficulty in expected hashes; so does this. `processes` in a backend is ours: the processes whose
CPU time is the proof that they hash.
"""

import os
import platform
from functools import cache
from pathlib import Path
from typing import Any

from .. import __version__
from .meters import WINDOWS_S, total
from .miner import Miner

ALGORITHM = "sha256d"


def summary(miner: Miner, *, miner_id: str, restricted: bool) -> dict[str, Any]:
    """Return what `GET /2/summary` answers."""
    shares = miner.shares
    return {
        "id": miner_id,
        "worker_id": miner.settings.worker_id,
        "uptime": int(miner.clock() - miner.started_at),
        "restricted": restricted,
        "resources": _resources(),
        "features": ["api", "http"],
        "results": {
            "diff_current": _difficulty(miner),
            "shares_good": shares.accepted,
            "shares_total": shares.accepted + shares.rejected,
            **_average_time(miner),
            "hashes_total": shares.hashes,
            "best": shares.best,
        },
        "algo": ALGORITHM,
        "connection": _connection(miner),
        "version": __version__,
        "kind": "miner",
        "ua": miner.settings.user_agent,
        "cpu": {"brand": _cpu_brand(), "threads": os.cpu_count(), "arch": platform.machine()},
        "donate_level": 0,
        "paused": miner.paused,
        "algorithms": [ALGORITHM],
        "hashrate": _hash_rate(miner),
        "hugepages": False,
    }


def backends(miner: Miner) -> list[dict[str, Any]]:
    """Return what `GET /2/backends` answers: one CPU backend with a thread for each process."""
    now = miner.clock()
    threads = [
        {
            "intensity": 1,
            "affinity": -1,
            "av": 1,
            "hashrate": [_rounded(hasher.rate.per_second(window, now)) for window in WINDOWS_S],
        }
        for hasher in miner.crew.hashers
    ]
    return [
        {
            "type": "cpu",
            "enabled": not miner.stopped,
            "algo": ALGORITHM,
            "profile": ALGORITHM,
            "priority": -1,
            "hashrate": _rates(miner),
            "threads": threads,
            "processes": [hasher.process.pid for hasher in miner.crew.hashers],
        }
    ]


def _connection(miner: Miner) -> dict[str, Any]:
    pool, shares = miner.pool, miner.shares
    return {
        "pool": str(pool.address),
        "ip": pool.ip,
        "uptime": int(pool.uptime_s),
        "uptime_ms": int(pool.uptime_s * 1000),
        "ping": round((pool.ping_s or 0) * 1000),
        "failures": pool.failures,
        "tls": None,
        "tls-fingerprint": None,
        "algo": ALGORITHM,
        "diff": _difficulty(miner),
        "accepted": shares.accepted,
        "rejected": shares.rejected,
        **_average_time(miner),
        "hashes_total": shares.hashes,
    }


def _difficulty(miner: Miner) -> int:
    return miner.job.difficulty_hashes if miner.job else 0


def _average_time(miner: Miner) -> dict[str, int]:
    answered = miner.shares.accepted + miner.shares.rejected
    average_s = (miner.clock() - miner.started_at) / answered if answered else 0
    return {"avg_time": int(average_s), "avg_time_ms": int(average_s * 1000)}


def _rates(miner: Miner) -> list[float | None]:
    now, hashers = miner.clock(), miner.crew.hashers
    return [
        _rounded(total([hasher.rate.per_second(window, now) for hasher in hashers]))
        for window in WINDOWS_S
    ]


def _hash_rate(miner: Miner) -> dict[str, Any]:
    rates = _rates(miner)
    miner.highest_hash_rate = max(miner.highest_hash_rate, rates[0] or 0)
    return {"total": rates, "highest": miner.highest_hash_rate or None}


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 2)


def _resources() -> dict[str, Any]:
    page = os.sysconf("SC_PAGE_SIZE")
    resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * page
    return {
        "memory": {
            "free": os.sysconf("SC_AVPHYS_PAGES") * page,
            "total": os.sysconf("SC_PHYS_PAGES") * page,
            "resident_set_memory": resident,
        },
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "hardware_concurrency": os.cpu_count(),
    }


@cache
def _cpu_brand() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"
