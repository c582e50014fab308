"""The chat over a real server: the endpoint for programs, the page's events, and the command line."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from test_app_fakes import GRADIO_WARNINGS, FakePipeline, free_port, served

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


def test_only_ask_is_offered_to_programs_and_its_inputs_are_typed(address: str) -> None:
    offered = client(address).view_api(return_format="dict")
    assert list(offered["named_endpoints"]) == ["/ask"] and not offered["unnamed_endpoints"]
    inputs = offered["named_endpoints"]["/ask"]["parameters"]
    assert [(i["parameter_name"], i["type"]["type"]) for i in inputs] == [("question", "string"), ("k", "integer")]
    assert inputs[1]["parameter_default"] == 5


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
        (["--host", "256.1.1.1"], "cannot listen on 256.1.1.1:7860"),
    ],
)
def test_bad_arguments_are_one_line_and_status_2(arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.startswith(f"python -m app: {said}") and done.stderr.count("\n") == 1


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
def test_it_serves_the_corpus_until_ctrl_c(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "strike.txt").write_text("Strike ends\nThe crews and the company agreed on six per cent on Friday.\n")
    with subprocess.Popen(
        [sys.executable, "-m", "app", "--corpus", str(corpus), "--index", str(tmp_path / "index"), "--port",
         str(free_port())],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "HOME": str(tmp_path)},
    ) as server:  # fmt: skip
        try:
            assert server.stdout is not None and server.stderr is not None
            line = server.stdout.readline()
            assert "Ask at http://127.0.0.1:" in line, server.stderr.read()
            asked = client(line.split()[2]).predict("What did the crews and the company agree on?", api_name="/ask")
            assert asked["question"] and asked["citations" if asked["text"] else "related"]
            server.send_signal(signal.SIGINT)
            assert server.wait(20) == 0
            assert "Traceback" not in server.stderr.read()
        finally:
            server.kill()
    assert [path.name for path in corpus.iterdir()] == ["strike.txt"]
