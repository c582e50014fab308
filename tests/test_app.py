"""The chat over a real server: the endpoint for programs, the page's events, and the command line."""

from __future__ import annotations

import ast
import asyncio
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from test_app_fakes import GRADIO_WARNINGS, FakePipeline, free_port, served

from app import server
from app.chat import WAITING

pytestmark = GRADIO_WARNINGS
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def pipeline() -> FakePipeline:
    return FakePipeline()


@pytest.fixture(scope="module")
def address(pipeline: FakePipeline) -> Iterator[str]:
    with served(pipeline) as address:
        yield address


def client(address: str) -> Client:
    return Client(address, verbose=False, analytics_enabled=False)


def test_programs_get_the_json_form_of_an_answer(address: str, pipeline: FakePipeline) -> None:
    asked = client(address).predict("What was agreed?", api_name="/ask")
    assert asked == json.loads(json.dumps(pipeline.ask("What was agreed?").to_dict()))


def test_three_endpoints_are_offered_to_programs_and_their_inputs_are_typed(address: str) -> None:
    offered = client(address).view_api(return_format="dict")
    assert list(offered["named_endpoints"]) == ["/ask", "/search", "/documents"] and not offered["unnamed_endpoints"]
    inputs = offered["named_endpoints"]["/ask"]["parameters"]
    typed = [(i["parameter_name"], set(i["python_type"]["type"].split(" | "))) for i in inputs]
    assert typed == [("question", {"str"}), ("k", {"int"}), ("documents", {"list[str]", "None"})]
    assert inputs[1]["parameter_default"] == 5 and "own words" in offered["named_endpoints"]["/ask"]["description"]


def test_programs_search_list_and_choose_documents(address: str, pipeline: FakePipeline) -> None:
    one = client(address)
    listed = one.predict(api_name="/documents")
    assert [d["document"] for d in listed["documents"]] == [e.path for e in pipeline.index.documents()]
    assert listed["corpus"] == "corpus" and listed["synced"] == "2024-03-12T09:30:00+00:00" and listed["unreadable"]
    found = one.predict("strike", 5, ["news/end.txt"], api_name="/search")
    text = pipeline.index.document("news/end.txt").text
    assert [(f["document"], f["text"]) for f in found] == [("news/end.txt", text[found[0]["start"] : found[0]["end"]])]
    one.predict("who mediated?", documents=["ferry.txt"], api_name="/ask")
    assert pipeline.searched == ["ferry.txt"]
    with pytest.raises(AppError, match="the query is empty"):
        one.predict(" ", api_name="/search")


def test_a_health_check_says_what_is_served(address: str, pipeline: FakePipeline) -> None:
    with urlopen(f"{address}health") as answer:
        told = json.load(answer)
    assert answer.status == 200 and told["status"] == "ok" and told["documents"] == 3
    assert told["passages"] == len(pipeline.index) and told["questions_that_may_wait"] == WAITING


def test_those_who_do_not_know_the_password_stay_outside(pipeline: FakePipeline) -> None:
    with served(pipeline, users=[("ann", "se:cret")]) as address:
        with pytest.raises(ValueError, match="Could not login"):
            Client(address, verbose=False, analytics_enabled=False, auth=("ann", "wrong"))
        for path in (
            "config", "monitoring", "gradio_api/info", "gradio_api/file=/etc/hostname", "gradio_api/queue/status",
            "gradio_api/queue/data?session_hash=x", "gradio_api/call/ask/x", "gradio_api/upload_progress?upload_id=x",
        ):  # fmt: skip
            assert httpx.get(f"{address}{path}").status_code == 401, path
        asked = {"data": ["who mediated?"], "fn_index": 0, "session_hash": "x"}
        for path in ("run/ask", "api/ask", "call/ask", "queue/join", "component_server"):
            assert httpx.post(f"{address}gradio_api/{path}", json=asked).status_code == 401, path
        assert httpx.post(f"{address}gradio_api/upload", files={"files": b"x"}).status_code == 401
        assert "ferry" not in httpx.get(address).text.lower(), "outside nothing of the documents is told"
        inside = Client(address, verbose=False, analytics_enabled=False, auth=("ann", "se:cret"))
        assert inside.predict("who mediated?", api_name="/ask")["text"] == "Ruth Okafor"
        assert urlopen(f"{address}health").status == 200


@pytest.mark.parametrize(
    "path",
    ["/etc/hostname", "../../../etc/hostname", "..%2f..%2f..%2fetc%2fhostname", "%2e%2e/%2e%2e/etc/hostname",
     "file:///etc/hostname", str(ROOT / "pyproject.toml"), "pyproject.toml", "app/chat.py",
     str(ROOT / "qa/reader/model.safetensors"), str(ROOT / "tests/corpus/01-quarry-dam-closed.txt")],
)  # fmt: skip
def test_no_file_of_the_machine_is_served(address: str, path: str) -> None:
    for way in ("gradio_api/file=", "file=", "gradio_api/file/", "static/", "assets/", "gradio_api/proxy=",
                "gradio_api/stream/a/b/1/"):  # fmt: skip
        got = httpx.get(f"{address}{way}{path}")
        assert got.status_code in (400, 403, 404), (way, got.status_code)


def test_nothing_that_the_server_keeps_is_served_to_those_who_know_where_it_lies(pipeline: FakePipeline) -> None:
    with served(pipeline) as address:
        own, feedback = pipeline.uploads / "0f" / "files" / "own.txt", pipeline.uploads / "feedback.jsonl"
        own.parent.mkdir(parents=True)
        for path in (own, feedback):
            path.write_text("private")
        corpus = pipeline.index.corpus / "ferry.txt"
        arrived = Path(httpx.post(f"{address}gradio_api/upload", files={"files": ("a.txt", b"mine")}).json()[0])
        for path in (own, feedback, corpus, arrived.parent / ".." / ".." / "0f" / "files" / "own.txt", arrived.parent):
            for way in ("file=", "file/"):
                got = httpx.get(f"{address}gradio_api/{way}{path}")
                assert got.status_code in (403, 404) and "private" not in got.text, path


@pytest.mark.parametrize("name", ["../../out.txt", "/etc/out.txt", "..\\..\\out.txt", ".bashrc", "x" * 300 + ".txt"])
def test_an_upload_stays_in_its_folder_whatever_its_name(address: str, name: str) -> None:
    sent = [httpx.post(f"{address}gradio_api/upload", files={"files": (name, b"own words")}) for _ in range(2)]
    paths = [Path(s.json()[0]) for s in sent]
    for path in paths:
        assert path.parts[-3] == "incoming" and path.parts[-4].startswith("uploads-") and "/" not in path.name
        assert len(path.parent.name) == 64, "nobody guesses where another's upload lies"
        assert hashlib.sha256(b"own words").hexdigest() != path.parent.name
        path.unlink(missing_ok=True)


def test_a_real_mcp_client_lists_and_calls_the_tools(pipeline: FakePipeline) -> None:
    async def use(address: str) -> tuple[dict, dict]:
        async with (
            streamable_http_client(f"{address}gradio_api/mcp/") as (reading, writing, _),
            ClientSession(reading, writing) as session,
        ):
            await session.initialize()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            ask = next(name for name in tools if name.endswith("ask"))
            called = await session.call_tool(ask, {"question": "who mediated?", "documents": ["ferry.txt"]})
            return tools, ast.literal_eval(called.content[0].text)

    with served(pipeline, mcp=True) as address:
        tools, answer = asyncio.run(use(address))
    assert {name.rsplit("_", 1)[-1] for name in tools} == {"ask", "search", "documents"} and len(tools) == 3
    asked = next(tool for name, tool in tools.items() if name.endswith("ask"))
    assert "own words" in asked.description and set(asked.inputSchema["properties"]) == {"question", "k", "documents"}
    assert answer["text"] == "Ruth Okafor" and answer["citations"][0]["document"] == "ferry.txt"


def test_bad_input_is_told_to_programs_in_words(address: str) -> None:
    with pytest.raises(AppError, match="the question has 10,001 characters"):
        client(address).predict("x" * 10_001, api_name="/ask")


def test_a_full_queue_says_so_and_those_that_wait_are_answered(address: str, pipeline: FakePipeline) -> None:
    pipeline.gate.clear()
    try:
        one = client(address)
        jobs = [one.submit("who mediated?", api_name="/ask") for _ in range(WAITING + 4)]
        while not any(job.done() for job in jobs):  # the first that is refused
            time.sleep(0.05)
        pipeline.gate.set()
        results = [job.exception(timeout=30) for job in jobs]
    finally:
        pipeline.gate.set()
    refused = [r for r in results if r is not None]
    assert refused and len(results) - len(refused) >= WAITING
    assert all("full" in str(r) for r in refused)


def test_calls_of_programs_do_not_push_out_a_conversation(
    pipeline: FakePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SESSIONS", 6)
    with served(pipeline) as address:
        config = httpx.get(f"{address}config").json()
        field = next(c["id"] for c in config["components"] if c["props"].get("elem_id") == "question")
        asking = next(e["id"] for e in config["dependencies"] if [field, "submit"] in e["targets"])

        def asks(person: str) -> None:
            data = ["who mediated?", None, None, [], "", ""]
            asked = {"data": data, "fn_index": asking, "session_hash": person, "event_data": None}
            httpx.post(f"{address}gradio_api/queue/join", json=asked).raise_for_status()
            with httpx.stream("GET", f"{address}gradio_api/queue/data?session_hash={person}", timeout=30) as told:
                assert any("Ruth Okafor" in line for line in told.iter_lines())

        def kept() -> dict[str, int]:
            sessions = pipeline.blocks.state_holder.session_data
            return {name: len(session.state_data) for name, session in sessions.items()}

        for person in ("ann", "bob"):
            asks(person)
        for _ in range(12):
            event = httpx.post(f"{address}gradio_api/call/ask", json={"data": ["who mediated?", 5, None]}).json()
            assert "Ruth Okafor" in httpx.get(f"{address}gradio_api/call/ask/{event['event_id']}", timeout=30).text
        assert len(kept()) == 6 and kept()["ann"] and kept()["bob"]
        for person in "cdefghij":  # more people than can be kept: those who asked last are
            asks(person)
        assert list(kept()) == list("efghij")


def run(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments], capture_output=True, text=True, cwd=ROOT, timeout=60, **options
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--corpus", "no/such/folder"], "there is no folder no/such/folder"),
        (["--corpus", "pyproject.toml"], "pyproject.toml is no folder"),
        (["--port", "70000"], "the port 70000 is out of range"),
        (["--port", "0"], "the port 0 is out of range"),
        (["--allowed-hosts", "a.org, http://b.org"], "--allowed-hosts holds 'http://b.org'"),
        (["--host", "256.1.1.1"], "cannot listen on 256.1.1.1:7860"),
        (["--auth-file", "none"], "the file none cannot be read"),
        (["--auth-file", "tests/corpus/01-quarry-dam-closed.txt"], "tests/corpus/01-quarry-dam-closed.txt, line 1 is"),
    ],
)
def test_bad_arguments_are_one_line_and_status_2(arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.startswith(f"python -m app: {said}") and done.stderr.count("\n") == 1


def test_settings_come_from_the_environment_and_help_lists_them() -> None:
    environment = {**os.environ, "QA_PORT": "70000", "QA_CORPUS": "tests"}
    assert "the port 70000 is out of range" in run(env=environment).stderr
    assert "there is no folder none" in run("--corpus", "none", env=environment).stderr
    told = run("--help").stdout
    for name in (
        "QA_CORPUS",
        "QA_INDEX",
        "QA_HOST",
        "QA_ALLOWED_HOSTS",
        "QA_PORT",
        "QA_AUTH_FILE",
        "QA_AUTH=",
        "QA_MCP",
        "QA_FEEDBACK",
    ):
        assert name in told


def test_a_password_is_neither_taken_from_the_command_line_nor_printed() -> None:
    assert run("--auth", "ann:secret").returncode == 2
    done = run(env={**os.environ, "QA_AUTH": ":secret"})
    assert done.returncode == 2 and "QA_AUTH is not NAME:PASSWORD" in done.stderr and "secret" not in done.stderr
    done = run("--mcp", env={**os.environ, "QA_AUTH": "ann:secret"})
    assert done.returncode == 2 and "MCP server asks for no password" in done.stderr and "secret" not in done.stderr


def test_a_port_in_use_is_one_line_and_status_2() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run("--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "cannot listen on 127.0.0.1:" in done.stderr and "--port N" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--help"], ["--corpus", "no/such/folder"]])
def test_nothing_heavy_is_imported_for_help_or_a_mistake(arguments: list[str]) -> None:
    script = (
        "import runpy, sys\n"
        f"sys.argv = ['app', *{arguments!r}]\n"
        "try: runpy.run_module('app', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "heavy = {'gradio', 'torch', 'transformers', 'numpy', 'faiss', 'qa', 'index'} & set(sys.modules)\n"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_the_corpus_until_it_is_told_to_stop(tmp_path: Path, stop: signal.Signals) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (tmp_path / "scratch").mkdir()
    places = {"HOME": ".", "TMPDIR": "scratch", "QA_FEEDBACK": "feedback.jsonl"}
    places = {name: str(tmp_path / place) for name, place in places.items()}
    (corpus / "strike.txt").write_text("Strike ends\nThe crews and the company agreed on six per cent on Friday.\n")
    with subprocess.Popen(
        [sys.executable, "-m", "app", "--corpus", str(corpus), "--index", str(tmp_path / "index"), "--port",
         str(free_port())],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, **places},
    ) as server:  # fmt: skip
        try:
            assert server.stdout is not None and server.stderr is not None
            line = server.stdout.readline()
            assert "Ask at http://127.0.0.1:" in line, server.stderr.read()
            assert str(tmp_path / "feedback.jsonl") in server.stdout.readline()
            sent = tmp_path / "sent.txt"
            sent.write_text("something")
            one = client(line.split()[2])
            port = int(line.split()[2].rstrip("/").rsplit(":", 1)[1])
            with socket.socket() as everywhere:  # what listens on all addresses can be reached by this one too
                everywhere.bind(("0.0.0.0", 0))
                everywhere.listen()
                socket.create_connection(("127.0.0.2", everywhere.getsockname()[1]), timeout=5).close()
            for other in {"127.0.0.2", *socket.gethostbyname_ex(socket.gethostname())[2]} - {"127.0.0.1"}:
                with pytest.raises(OSError, match="refused"):
                    socket.create_connection((other, port), timeout=5)
            question = "What did the crews and the company agree on?"
            asked = one.predict(question, k=10**15, api_name="/ask")
            with sent.open("rb") as file:
                uploaded = httpx.post(f"{line.split()[2]}gradio_api/upload", files={"files": file}).json()[0]
            assert next((tmp_path / "scratch").glob("extractive-qa-*")) in Path(uploaded).parents
            assert asked["question"] and asked["citations" if asked["text"] else "related"]
            server.send_signal(stop)
            assert server.wait(20) == 0
            assert "Traceback" not in server.stderr.read()
        finally:
            server.kill()
    assert [path.name for path in corpus.iterdir()] == ["strike.txt"]
    assert not list((tmp_path / "scratch").glob("extractive-qa-*")), "nothing that was uploaded is left"
