"""One hashing process: reads work on stdin, reports nonces and hashes on stdout, one JSON a line.

In:  {"work": id, "header": hex of 76 bytes, "target": hex, "nonces": n} | {"work": null} |
     {"paused": bool}
Out: {"share": nonce, "work": id} | {"hashes": n} | {"exhausted": id}
It hashes in batches of about 10 ms of CPU time and looks at stdin between them, so that a pause
takes effect at once; paused or without work it blocks in poll() and uses no CPU. It ends when its
stdin closes, which is also what happens when the miner dies.
"""

import json
import os
import select
import signal
import struct
import sys
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

_BATCH_CPU_S = 0.010
_REPORT_EVERY_S = 0.5
_FIRST_BATCH = 2_000
_MAX_BATCH = 1 << 20


@dataclass
class Work:
    """A header whose nonces are being tried; `next_nonce` is where to go on."""

    work_id: int
    prefix: bytes
    target: int
    nonces: int
    next_nonce: int = 0


def find_nonces(prefix: bytes, target: int, first: int, count: int) -> list[int]:
    """Try `count` nonces of a header and return those whose sha256d is at most the target.

    The first 64 bytes are the same for every nonce: their state ("midstate") is hashed once and
    copied, and so are the 12 bytes before the nonce.
    """
    start = sha256(prefix)
    copy, pack, digest_of = start.copy, struct.Struct("<I").pack, sha256
    zeros = bytes((256 - target.bit_length()) // 8)
    found = []
    for nonce in range(first, first + count):
        attempt = copy()
        attempt.update(pack(nonce))
        digest = digest_of(attempt.digest()).digest()
        if digest.endswith(zeros) and int.from_bytes(digest, "little") <= target:
            found.append(nonce)
    return found


class Worker:
    """The loop between the pipe and the hashes. `duty` is the share of one core it may use."""

    def __init__(self, stdin: int, stdout: int, duty: float) -> None:
        self._stdin, self._stdout, self._duty = stdin, stdout, duty
        self._poll = select.poll()
        self._poll.register(stdin, select.POLLIN | select.POLLHUP)
        self._buffer = b""
        self._work: Work | None = None
        self._paused = False
        self._batch = _FIRST_BATCH
        self._hashes = 0
        self._reported_at = time.monotonic()

    def run(self) -> None:
        """Hash until stdin closes."""
        rest_s: float | None = 0.0
        while self._obey(rest_s):
            if self._work is None or self._paused:
                self._report_hashes()
                rest_s = None
            else:
                rest_s = self._hash_a_batch(self._work)

    def _obey(self, wait_s: float | None) -> bool:
        """Wait for orders that long (None: until one comes); False when stdin has closed."""
        if not self._poll.poll(None if wait_s is None else wait_s * 1000):
            return True
        data = os.read(self._stdin, 65536)
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._take(json.loads(line))
        return bool(data)

    def _take(self, order: dict[str, Any]) -> None:
        if "paused" in order:
            self._paused = order["paused"]
        elif order["work"] is None:
            self._work = None
        else:
            prefix, target = bytes.fromhex(order["header"]), int(order["target"], 16)
            self._work = Work(order["work"], prefix, target, order["nonces"])

    def _hash_a_batch(self, work: Work) -> float:
        """Hash one batch and return how long to rest after it, in seconds."""
        started = time.process_time()
        count = min(self._batch, work.nonces - work.next_nonce)
        for nonce in find_nonces(work.prefix, work.target, work.next_nonce, count):
            self._say({"share": nonce, "work": work.work_id})
        work.next_nonce += count
        self._hashes += count
        if work.next_nonce >= work.nonces:
            self._work = None
            self._say({"exhausted": work.work_id})
        busy_s = max(time.process_time() - started, 1e-6)
        if count == self._batch:
            self._batch = min(max(int(count * _BATCH_CPU_S / busy_s), 100), _MAX_BATCH)
        if time.monotonic() - self._reported_at >= _REPORT_EVERY_S:
            self._report_hashes()
        return busy_s * (1 - self._duty) / self._duty

    def _report_hashes(self) -> None:
        if self._hashes:
            self._say({"hashes": self._hashes})
        self._hashes = 0
        self._reported_at = time.monotonic()

    def _say(self, message: dict[str, int]) -> None:
        os.write(self._stdout, json.dumps(message).encode() + b"\n")


def main(nice: int, cpu_percent: float) -> None:
    """Run one hashing process on this process's stdin and stdout."""
    # Ctrl-C reaches the whole process group; the miner is the one to answer it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Only root may become less nice than it was started.
    os.setpriority(os.PRIO_PROCESS, 0, max(nice, os.getpriority(os.PRIO_PROCESS, 0)))
    try:
        Worker(sys.stdin.fileno(), sys.stdout.fileno(), cpu_percent / 100).run()
    except BrokenPipeError:
        # The miner is gone, and with it the reason to hash.
        os._exit(0)


if __name__ == "__main__":
    main(nice=int(sys.argv[1]), cpu_percent=float(sys.argv[2]))
