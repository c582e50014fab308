"""Nothing but this machine is ever contacted: indexing and asking with every other address blocked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

GUARD = """
import socket, sys
real, tried = socket.socket.connect, []
def connect(self, address, *rest):
    if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
        tried.append(address)
        raise OSError("blocked")
    return real(self, address, *rest)
socket.socket.connect = socket.socket.connect_ex = connect
def look_up(host, *rest, _real=socket.getaddrinfo, **named):
    if host not in (None, "127.0.0.1", "::1", "localhost"):
        tried.append(host)
        raise OSError("blocked")
    return _real(host, *rest, **named)
socket.getaddrinfo = look_up
import qa
answer = qa.ask("Who asked the CSTO for help?")
assert "Tokayev" in answer.sentence, answer
assert tried == [], tried
try:
    socket.create_connection(("192.0.2.1", 80), timeout=1)
except OSError as error:
    assert str(error) == "blocked", error  # the guard does guard
"""


def test_indexing_and_asking_contact_nobody(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("HF_HUB_OFFLINE", "GRADIO_ANALYTICS_ENABLED")}
    environment |= {"XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", GUARD], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
