"""nginx in front of two real rigs with a real model, as docs/nginx/rigs.conf says.

On this machine rigs speak plain HTTP; a server each shows for them, with the certificate that a rig
makes for itself, what they show beyond it.
"""

import asyncio
import json
import re
import shutil
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hashcenter_bridge import certificate
from tests.brokers import HOST, free_port
from tools.bench.overhead.rig import Rig, running
from tools.paths import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.fleet, pytest.mark.timeout(400)]

FILE = ROOT / "docs/nginx/rigs.conf"
KEY = "key-of-this-address"
_READY_WITHIN_S = 60.0


_SHOWN = """
server {{
    listen {host}:{port} ssl;
    ssl_certificate {folder}/{name}.crt;
    ssl_certificate_key {folder}/{name}.key;
    location / {{
        proxy_pass http://{host}:{rig_port};
        proxy_buffering off;
    }}
}}
"""


def front(rigs: Mapping[str, Rig], port: int, folder: Path) -> str:
    """Return the file of the docs for these rigs, and a server with each rig's certificate."""
    text = FILE.read_text().replace("KEY-OF-THIS-ADDRESS", KEY)
    text = text.replace("listen 8421", f"listen {HOST}:{port}").replace(
        "/etc/nginx/rigs", f"{folder}"
    )
    for (name, rig), inner in zip(rigs.items(), ("18431", "18432"), strict=True):
        shown = free_port()
        text = text.replace(f"https://{name}.local:8420", f"https://{HOST}:{shown}")
        text = text.replace(f"KEY-OF-{name.upper()}", rig.key).replace(inner, str(free_port()))
        text += _SHOWN.format(
            host=HOST, port=shown, folder=folder, name=name, rig_port=rig.http_port
        )
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    return (
        f"user root;\ndaemon off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{places}\n{text}\n}}\n"
    )


def prepared(rigs: Mapping[str, Rig], port: int, folder: Path) -> Path:
    """Return nginx's file, with what it names beside it."""
    folder.mkdir()
    for name in rigs:
        certificate.read_or_make(folder)
        for kind in ("crt", "key"):
            (folder / f"api.{kind}").rename(folder / f"{name}.{kind}")
    file = folder / "nginx.conf"
    file.write_text(front(rigs, port, folder))
    return file


@asynccontextmanager
async def nginx(rigs: Mapping[str, Rig], folder: Path) -> AsyncIterator[str]:
    """Run nginx; yield its address."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/bin")
    assert program, "nginx is missing: apt-get install nginx"
    port = free_port()
    file = prepared(rigs, port, folder)
    process = await asyncio.create_subprocess_exec(program, "-p", folder, "-c", file)
    try:
        async with asyncio.timeout(_READY_WITHIN_S):
            while socket.socket().connect_ex((HOST, port)):
                assert process.returncode is None, (folder / "error.log").read_text()
                await asyncio.sleep(0.1)
        yield f"http://{HOST}:{port}/v1/chat/completions"
    finally:
        process.terminate()
        await process.wait()


async def ask(session: aiohttp.ClientSession, url: str, **more: Any) -> tuple[int, str]:
    """Ask for a few words; return the status and the body."""
    body = {"messages": [{"role": "user", "content": "Say something."}], "max_tokens": 8, **more}
    async with session.post(url, json=body) as answer:
        return answer.status, await answer.text()


async def answered(rig: Rig) -> float:
    """Return how many answers the rig says it has given."""
    headers = {"Authorization": f"Bearer {rig.key}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"http://{HOST}:{rig.http_port}/metrics") as answer,
    ):
        pattern = r"^hashcenter_answers_total\S* ([\d.e+]+)"
        return sum(map(float, re.findall(pattern, await answer.text(), re.MULTILINE)))


async def test_two_rigs_answer_behind_one_address_and_one_goes_on_when_the_other_dies(
    tmp_path: Path,
) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with (
        running(tmp_path / "attic", 1, with_model=True) as attic,
        running(tmp_path / "basement", 1, with_model=True) as basement,
        nginx({"attic": attic, "basement": basement}, tmp_path / "nginx") as url,
        aiohttp.ClientSession(headers=headers) as program,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {attic.key}"}) as stranger,
    ):
        before = [await answered(rig) for rig in (attic, basement)]
        replies = await asyncio.gather(*(ask(program, url) for _ in range(4)))
        assert [status for status, _ in replies] == [200] * 4
        assert all(json.loads(text)["choices"][0]["message"]["content"] for _, text in replies)
        after = [await answered(rig) for rig in (attic, basement)]
        assert all(now > was for was, now in zip(before, after, strict=True))

        status, text = await ask(program, url, stream=True)
        assert status == 200
        assert text.count("data: {") > 2
        assert text.rstrip().endswith("data: [DONE]")
        assert (await ask(stranger, url))[0] == 401

        await attic.bridge.kill()
        for _ in range(4):
            status, text = await ask(program, url)
            assert status == 200, text
