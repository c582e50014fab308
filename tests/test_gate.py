"""What a real server refuses before Gradio sees it: more than there is room for, fetching, names not its own."""

from __future__ import annotations

import asyncio
import http.client
import importlib
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from gradio_client import Client
from test_app_fakes import GRADIO_WARNINGS, FakePipeline, served

from app import gate
from app.hosts import hosts

pytestmark = GRADIO_WARNINGS
ROOM = 3_000_000


@pytest.fixture(scope="module")
def pipeline() -> FakePipeline:
    return FakePipeline()


@pytest.fixture(scope="module")
def address(pipeline: FakePipeline) -> Iterator[str]:
    with served(pipeline) as address:
        yield address


def lying(folder: Path) -> tuple[int, int]:
    """How many bytes the files below a folder have together, and how many files there are."""
    sizes = []
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                sizes.append((Path(place) / name).stat().st_size)
            except FileNotFoundError:
                continue
    return sum(sizes), len(sizes)


def upload(address: str, *files: bytes) -> httpx.Response:
    sent = [("files", (f"{number}.txt", data)) for number, data in enumerate(files)]
    return httpx.post(f"{address}gradio_api/upload", files=sent, timeout=60)


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server with little room, so that it is soon taken."""
    monkeypatch.setattr(gate, "MOST_WAITING", ROOM)
    monkeypatch.setattr(gate, "LEAST_COUNTED", ROOM // 100)


@pytest.mark.usefixtures("little")
def test_uploads_that_nobody_adds_never_take_more_than_their_room(pipeline: FakePipeline) -> None:
    most, done = 0, threading.Event()
    with served(pipeline) as address:
        incoming = pipeline.uploads / "incoming"

        def watch() -> None:
            nonlocal most
            while not done.wait(0.005):
                most = max(most, lying(incoming)[0])

        watching = threading.Thread(target=watch)
        watching.start()
        with ThreadPoolExecutor(8) as pool:
            told = list(pool.map(lambda n: upload(address, b"%7d" % n * 50_000), range(60)))
        done.set()
        watching.join()
        taken = [t for t in told if t.status_code == 200]
        assert 4 <= len(taken) <= ROOM // 350_000, "those that found room"
        refused = [t for t in told if t.status_code != 200]
        assert {t.status_code for t in refused} == {413}
        assert all("the maximum allowed size of all that waits to be added" in t.text for t in refused)
        assert most <= ROOM
        assert lying(incoming) == (len(taken) * 350_000, len(taken)), "of what was refused nothing is left"
        assert Client(address, verbose=False, analytics_enabled=False).predict("who mediated?", api_name="/ask")["text"]


@pytest.mark.usefixtures("little")
def test_nor_do_tiny_files_uploads_without_a_length_or_such_as_break_off(pipeline: FakePipeline) -> None:
    with served(pipeline) as address:
        incoming = pipeline.uploads / "incoming"
        for number in range(40):
            upload(address, *[b"%d %d" % (number, n) for n in range(9)])
        assert 50 <= lying(incoming)[1] <= 100
    with served(pipeline) as address:
        incoming = pipeline.uploads / "incoming"

        def chunks(count: int) -> Iterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'
            for _ in range(count):
                yield b"y" * 60_000
            yield b"\r\n--x--\r\n"

        kind, place = {"content-type": "multipart/form-data; boundary=x"}, f"{address}gradio_api/upload"
        assert httpx.post(place, content=chunks(40), headers=kind).status_code == 200
        told = httpx.post(place, content=chunks(40), headers=kind)
        assert told.status_code == 413 and "maximum allowed size" in told.text
        for _ in range(30):
            broken = http.client.HTTPConnection(address.split("/")[2])
            broken.putrequest("POST", "/gradio_api/upload")
            for name, value in (*kind.items(), ("content-length", "500000")):
                broken.putheader(name, value)
            broken.endheaders(next(chunks(0)) + b"z" * 100_000)
            broken.close()
        time.sleep(0.5)
        assert lying(incoming)[0] <= ROOM


@pytest.mark.usefixtures("little")
def test_old_uploads_make_room_and_those_that_may_still_be_added_stay(pipeline: FakePipeline) -> None:
    with served(pipeline) as address:
        paths = [Path(upload(address, b"%7d" % n * 50_000).json()[0]) for n in range(8)]
        assert upload(address, b"a" * 350_000).status_code == 413
        for path in (paths[2], paths[5], paths[6], paths[7]):
            os.utime(path, (0, time.time() - gate.KEPT_SECONDS - 10))
        os.utime(paths[6], (0, 0))
        assert upload(address, b"b" * 350_000).status_code == 200
        there = [path.exists() for path in paths]
        assert there == [True, True, False, True, True, False, False, False]
        assert not paths[6].parent.exists() and (pipeline.uploads / "incoming").exists()


def test_uploads_leave_a_tenth_of_a_small_disk_free(pipeline: FakePipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=10_000_000, free=1_600_000))
    with served(pipeline) as address:
        assert upload(address, b"x" * 200_000).status_code == 200
        assert upload(address, b"x" * 500_000).status_code == 413
        assert lying(pipeline.uploads / "incoming") == (200_000, 1)


@pytest.mark.usefixtures("little")
def test_many_small_files_are_refused_in_one_request(pipeline: FakePipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "MOST_PARTS", 20)
    with served(pipeline) as address:
        told = upload(address, *[b"x"] * 21)
        assert told.status_code == 413 and "one upload is 20 files" in told.text
        assert upload(address, *[b"x"] * 20).status_code == 200
        assert lying(pipeline.uploads / "incoming")[1] == 20


def test_a_request_of_any_length_is_not_read_into_memory(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "MOST_SENT", 50_000)
    for path in ("gradio_api/call/ask", "gradio_api/queue/join", "gradio_api/run/ask", "login", "nothing"):
        told = httpx.post(f"{address}{path}", content=b'{"data": ["%s"]}' % (b"x" * 50_000))
        assert told.status_code == 413 and "maximum allowed size" in told.text
        without_length = httpx.post(
            f"{address}{path}", content=iter([b"x" * 20_000] * 3), headers={"content-type": "application/json"}
        )
        assert without_length.status_code in (400, 404, 405, 413, 422), path
    assert httpx.get(f"{address}health").status_code == 200


def test_nothing_is_fetched_from_elsewhere_for_whoever_asks(
    pipeline: FakePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = []

    async def look_up(_: object, host: object, *__: object, **___: object) -> None:
        looked_up.append(host)
        raise socket.gaierror("blocked")

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", look_up)
    with suppress(ImportError):  # what uvicorn uses where it is installed
        monkeypatch.setattr(importlib.import_module("uvloop").Loop, "getaddrinfo", look_up)
    with served(pipeline) as address:
        config = httpx.get(f"{address}config").json()
        files = next(c["id"] for c in config["components"] if c["props"].get("elem_id") == "files")
        adding = next(e["id"] for e in config["dependencies"] if [files, "upload"] in e["targets"])
        before = lying(pipeline.uploads)
        for elsewhere in ("http://elsewhere.example/a.txt", "https://huggingface.co/a.txt", "https://8.8.8.8/a.txt"):
            for way in ("file=", "file/", "proxy="):
                assert httpx.get(f"{address}gradio_api/{way}{elsewhere}").status_code == 404
            for sent in (
                {"path": elsewhere},
                {"path": "a.txt", "url": elsewhere},
                {"path": elsewhere, "url": elsewhere},
            ):
                file = {**sent, "meta": {"_type": "gradio.FileData"}}
                event = httpx.post(f"{address}gradio_api/call/ask", json={"data": [file, 5, None]}).json()["event_id"]
                told = httpx.get(f"{address}gradio_api/call/ask/{event}", timeout=30).text
                assert "event: error" in told and ("nothing is fetched" in told or sent["path"] != elsewhere)
                asked = {"data": [[file], None], "fn_index": adding, "session_hash": "x", "event_data": None}
                httpx.post(f"{address}gradio_api/queue/join", json=asked).raise_for_status()
                with httpx.stream("GET", f"{address}gradio_api/queue/data?session_hash=x", timeout=30) as told:
                    assert any('"success":false' in line for line in told.iter_lines())
        assert looked_up == []
        assert lying(pipeline.uploads) == before


@pytest.mark.parametrize("path", ["deep_link?session_hash=x", "process_recording", "vibe-edit", "vibe-code"])
def test_routes_of_gradio_that_write_files_are_closed(address: str, path: str) -> None:
    for method in ("GET", "POST"):
        files = {"video": b"x"} if method == "POST" else None
        assert httpx.request(method, f"{address}gradio_api/{path}", files=files).status_code == 404


STRANGE = [
    "attacker.example", "attacker.example:7860", "localhost.attacker.example", "127.0.0.1.attacker.example:80", "",
    "attacker.example@localhost", "localhost:1:2", "localhost, attacker.example", "[localhost", "[::2]:80", "127.0.0.2",
    "0.0.0.0", "\u0142ocalhost",
]  # fmt: skip
OWN = ["localhost", "LocalHost:1", "localhost.", "127.0.0.1", "127.0.0.1:7860", "[::1]", "[0:0::1]:7860"]


def answer_to(address: str, *names: str, method: str = "GET", path: str = "/health", **headers: str) -> tuple[int, str]:
    """Status and text of what is answered to a request with these `Host` headers."""
    connection = http.client.HTTPConnection(address.split("/")[2], timeout=30)
    connection.putrequest(method, path, skip_host=True)
    for name, value in (*(("Host", name.encode()) for name in names), *headers.items(), ("Content-Length", "0")):
        connection.putheader(name, value)
    connection.endheaders()
    told = connection.getresponse()
    text = "" if told.status == 200 else told.read().decode()
    connection.close()
    return told.status, text


@pytest.mark.parametrize("name", STRANGE)
def test_a_name_that_is_not_the_servers_gets_no_answer(address: str, name: str) -> None:
    status, text = answer_to(address, name)
    assert status == 421 and "does not answer to" in text and "--allowed-hosts" in text


@pytest.mark.parametrize("name", OWN)
def test_the_servers_own_names_are_answered(address: str, name: str) -> None:
    assert answer_to(address, name)[0] == 200


def test_a_second_name_and_none_at_all_get_no_answer_either(address: str) -> None:
    assert answer_to(address, "localhost", "attacker.example")[0] in (400, 421)
    assert answer_to(address)[0] in (400, 421)


def test_a_refusal_repeats_no_markup_and_not_all_of_a_long_name(address: str) -> None:
    status, text = answer_to(address, "<script>alert('x')</script>\x1b[31m" + "x" * 5000)
    assert status in (400, 421) and len(text) < 300 and not set("<>'\x1b") & set(text)


def test_the_name_is_asked_for_at_every_door(pipeline: FakePipeline) -> None:
    with served(pipeline, mcp=True) as address:
        for path in (
            "/", "/config", "/gradio_api/info", "/gradio_api/openapi.json", "/gradio_api/file=/etc/hostname", "/health",
            "/gradio_api/queue/data?session_hash=x", "/gradio_api/heartbeat/x", "/gradio_api/startup-events",
            "/gradio_api/upload_progress?upload_id=x", "/gradio_api/mcp/", "/gradio_api/mcp/sse", "/static/x", "/none",
        ):  # fmt: skip
            assert answer_to(address, "attacker.example", path=path)[0] == 421, path
        for path in (
            "/gradio_api/upload", "/gradio_api/queue/join", "/gradio_api/call/ask", "/gradio_api/run/ask", "/login",
            "/gradio_api/component_server", "/gradio_api/mcp/", "/gradio_api/mcp/messages/", "/gradio_api/cancel",
        ):  # fmt: skip
            assert answer_to(address, "attacker.example", method="POST", path=path)[0] == 421, path
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        upgrade["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
        assert answer_to(address, "attacker.example", path="/gradio_api/queue/join", **upgrade)[0] in (403, 421)


@pytest.mark.parametrize("bound", ["0.0.0.0", "::1", "::"])
def test_a_server_for_others_answers_to_its_addresses_and_to_the_names_it_was_given(
    pipeline: FakePipeline, bound: str
) -> None:
    with served(pipeline, host=bound, names=hosts(bound, "qa.example.org, Other.Example")) as address:
        inside = f"{'[::1]' if ':' in bound else '127.0.0.1'}:{address.rstrip('/').rsplit(':', 1)[1]}"
        inside = f"http://{inside}/"
        for name in ("localhost:1", "qa.example.org", "QA.example.org:443", "other.example", "[::1]"):
            assert answer_to(inside, name)[0] == 200, name
        for name in ("attacker.example", "a.qa.example.org", "example.org", "127.0.0.1.attacker.example"):
            assert answer_to(inside, name)[0] == 421, name
        for name in ("192.0.2.7:7860", "[2001:db8::7]"):  # no page elsewhere can have an address of ours
            assert answer_to(inside, name)[0] == (421 if bound == "::1" else 200), name


@pytest.mark.parametrize(
    "origin",
    ["http://attacker.example", "https://localhost.attacker.example", "null", "", "http://", "http://192.0.2.7", "file://",
     "http://attacker.example:1@localhost", "localhost"],
)  # fmt: skip
def test_no_page_elsewhere_uses_the_server(address: str, pipeline: FakePipeline, origin: str) -> None:
    asked = {"data": ["who mediated?", 5, None]}
    status = [
        httpx.post(f"{address}gradio_api/call/ask", json=asked, headers={"origin": origin}).status_code,
        httpx.post(f"{address}gradio_api/upload", files={"files": b"x"}, headers={"origin": origin}).status_code,
        httpx.get(f"{address}config", headers={"origin": origin}).status_code,
    ]
    assert status == [403] * 3
    assert lying(pipeline.uploads / "incoming") == (0, 0)


def test_the_servers_own_page_uses_it_whatever_it_is_called(pipeline: FakePipeline) -> None:
    with served(pipeline, host="0.0.0.0", names=hosts("0.0.0.0", "qa.example.org")) as address:
        inside = address.replace("localhost", "127.0.0.1")
        for host, origin, status in (
            ("127.0.0.1:7860", "http://127.0.0.1:7860", 200), ("192.0.2.7:80", "http://192.0.2.7", 200),
            ("qa.example.org", "https://qa.example.org", 200), ("[2001:db8::7]:1", "http://[2001:db8::7]:1", 200),
            ("127.0.0.1:7860", "https://qa.example.org", 200),  # a proxy that sets `Host` to where it leads
            ("192.0.2.7", "http://192.0.2.8", 403), ("qa.example.org", "http://attacker.example", 403),
        ):  # fmt: skip
            assert answer_to(inside, host, Origin=origin)[0] == status, (host, origin)


def test_the_check_can_be_switched_off(pipeline: FakePipeline) -> None:
    with served(pipeline, names=hosts("127.0.0.1", "*")) as address:
        assert answer_to(address, "attacker.example")[0] == 200
