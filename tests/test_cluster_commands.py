"""The commands of README's "Scale" as people type them, on a cluster of this machine alone that they start."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from qa import Pipeline
from tests.app_process import free_port
from tests.clusters import eventually
from tests.conftest import ROOT

pytestmark = pytest.mark.slow
QUESTION = "What did divers find at the Skarnholt dam?"
ASK_MANY = """
import json, pathlib, sys
from concurrent.futures import ThreadPoolExecutor
from qa import Pipeline
lines = map(json.loads, pathlib.Path("tests/news.jsonl").read_text().splitlines()[:24])
pipeline, threads = Pipeline.open(sys.argv[1]), ThreadPoolExecutor(6)
answers = list(threads.map(pipeline.ask, [line["question"] for line in lines]))
print(json.dumps([[(answer.text, answer.confidence) for answer in answers], type(pipeline.reader).__name__]))
"""
ASK_ON = """
import json, pathlib, sys
from qa import Pipeline
lines = map(json.loads, pathlib.Path("tests/news.jsonl").read_text().splitlines()[:24])
pipeline, questions = Pipeline.open(sys.argv[1]), [line["question"] for line in lines]
first = [pipeline.ask(question).text for question in questions]
print(json.dumps(first), flush=True)
for _ in range(3):
    print(json.dumps([pipeline.ask(question).text for question in questions]), flush=True)
"""
PATIENCE = 240  # seconds for a command: a busy machine is no fault of it


@dataclass(frozen=True)
class Served:
    """A corpus that a cluster serves, and the environment of whoever may ask it."""

    corpus: Path
    index: Path
    address: str
    env: dict[str, str]

    @property
    def name(self) -> str:
        return f"ray://{self.address}/corpus"

    def python(self, *arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *map(str, arguments)]
        found = subprocess.run(
            command, cwd=ROOT, env=self.env | env, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        return found

    def build(self) -> subprocess.CompletedProcess[str]:
        few = ["--encoder", "light", "--shards", 2, "--replicas", 1]
        return self.python("-m", "index.cluster", self.corpus, "--index", self.index, "--address", self.address, *few)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("home")
    corpus = shutil.copytree(ROOT / "tests" / "corpus", home / "corpus")
    mark = secrets.token_hex(16)
    others = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    env = others | {"HOME": str(home), "CLUSTER_OF_THE_TEST": mark}
    made = Served(corpus, home / "index", f"127.0.0.1:{free_port()}", env)
    try:
        done = made.build()
        assert done.returncode == 0, done.stderr
        assert f'Ask it: python -m qa "your question" --corpus {made.name}' in done.stdout
        yield made
    finally:
        for process in marked(mark):  # and not `ray stop`, which would end every cluster on this machine
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        eventually(lambda: not marked(mark), 30)


def marked(mark: str) -> list[int]:
    """The processes that were started with that mark in their environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (place / "environ").read_bytes():
                found.append(int(place.name))
    return found


def listening(processes: list[int]) -> Iterator[tuple[int, int]]:
    """Each TCP port at which one of the processes can be reached from outside of this machine, and the process."""
    sockets = dict[str, int]()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            (
                _,
                local,
                _,
                state,
                *_,
            ) = fields = line.split()
            address, _, port = local.partition(":")
            loopback = address in ("0100007F", "0" * 16 + "FFFF00000100007F", "0" * 24 + "01000000")
            if state == "0A" and not loopback:
                sockets[f"socket:[{fields[9]}]"] = int(port, 16)
    for process in processes:
        for file in Path(f"/proc/{process}/fd").glob("*"):
            with suppress(OSError):
                if port_of := sockets.get(os.readlink(file)):
                    yield port_of, process


def test_two_commands_answer_as_one_machine_does(served: Served, tmp_path: Path) -> None:
    one = Pipeline.open(served.corpus, index=tmp_path / "one", encoder="light").ask(QUESTION)
    done = served.python("-m", "qa", QUESTION, "--corpus", served.name, "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == 0 and answer["text"] == one.text and one.text is not None
    assert answer["partial"] is None
    assert answer["citations"] == one.to_dict()["citations"]


def test_a_second_build_goes_on_beside_what_is_served(served: Served) -> None:
    news = "The lighthouse of Korvin\n\nThe lighthouse of Korvin was painted green by Ludmila Taranov in October.\n"
    (served.corpus / "lighthouse.txt").write_text(news)
    again = served.build()
    assert again.returncode == 0 and "27 documents" in again.stdout and "1 passages embedded" in again.stdout
    done = served.python("-m", "qa", "Who painted the lighthouse of Korvin?", "--corpus", served.name, "--json")
    assert json.loads(done.stdout)["text"] == "Ludmila Taranov"


def test_who_has_no_token_is_told_so(served: Served, tmp_path: Path) -> None:
    done = served.python("-m", "qa", QUESTION, "--corpus", served.name, HOME=str(tmp_path))
    assert done.returncode == 2 and not done.stdout
    assert f"the cluster at {served.address} asks for a token: copy ~/.ray/auth_token" in done.stderr


@pytest.mark.soak  # for Ray tries it for 20 seconds
def test_a_wrong_token_is_refused(served: Served) -> None:
    done = served.python("-m", "qa", QUESTION, "--corpus", served.name, RAY_AUTH_TOKEN=secrets.token_hex(32))
    assert done.returncode == 2 and not done.stdout
    assert "or it has another token than ~/.ray/auth_token here" in done.stderr


def test_what_other_machines_can_reach_asks_for_the_token(served: Served) -> None:
    """Serve's replicas listen on all interfaces, which no setting changes; nothing else of Ray does."""
    import grpc

    processes = marked(served.env["CLUSTER_OF_THE_TEST"])
    reachable = {port: process for port, process in listening(processes)}
    assert {Path(f"/proc/{process}/comm").read_text().strip() for process in reachable.values()} == {"ray::ServeRepli"}
    for port in reachable:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary("/ray.serve.ASGIService/HandleRequest")(b"", timeout=30)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_the_reader_is_served_too(served: Served) -> None:
    alone = served.python("-c", ASK_MANY, served.name)
    done = served.python("-m", "qa.cluster", served.name, "--replicas", 1)
    assert done.returncode == 0, done.stderr
    together = served.python("-c", ASK_MANY, served.name)
    assert alone.returncode == together.returncode == 0, together.stderr
    (one, here), (many, there) = json.loads(alone.stdout), json.loads(together.stdout)
    assert here == "Reader" and there == "ClusterReader"
    assert [text for text, _ in many] == [text for text, _ in one] and any(text for text, _ in one)
    assert [sure for _, sure in many] == pytest.approx([sure for _, sure in one], abs=1e-3)  # the number of threads


def test_a_reader_that_is_killed_costs_no_question(served: Served) -> None:
    done = served.python("-m", "qa.cluster", served.name, "--replicas", 2)
    assert done.returncode == 0, done.stderr
    mark = served.env["CLUSTER_OF_THE_TEST"]
    asking = [sys.executable, "-c", ASK_ON, served.name]
    with subprocess.Popen(asking, cwd=ROOT, env=served.env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        readers = [p for p in marked(mark) if b"corpus-reader:reader" in Path(f"/proc/{p}/cmdline").read_bytes()]
        assert len(readers) == 2
        os.kill(readers[0], signal.SIGKILL)
        assert process.stdout.read() == 3 * first and any(json.loads(first))
        assert process.wait(PATIENCE) == 0


def test_a_name_that_is_not_served_is_told(served: Served) -> None:
    done = served.python("-m", "qa", QUESTION, "--corpus", f"ray://{served.address}/nothing")
    assert done.returncode == 2 and "serves no corpus named nothing" in done.stderr


def test_the_chat_ends_cleanly_when_it_is_told_to(served: Served, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "app", "--corpus", served.name, "--port", str(free_port())]
    kept = ["--feedback", str(tmp_path / "kept.jsonl")]
    with subprocess.Popen([*command, *kept], cwd=ROOT, env=served.env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline().startswith("Ask at ")
        process.terminate()
        assert process.wait(PATIENCE) == 0
