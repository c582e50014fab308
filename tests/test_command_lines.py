"""The commands as a person runs them: real processes, real models, the real seed."""

from __future__ import annotations

import importlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import index.__main__ as indexing
import qa.__main__ as command_line
from index.progress import tell
from qa import Pipeline
from tests.conftest import ROOT


def run(*command: str, cache: Path, check: int | None = 0) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONWARNINGS": "default"}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert "Traceback" not in done.stderr, done.stderr
    if check is not None:
        assert done.returncode == check, done.stderr
    return done


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_a_question_is_answered_with_its_source(cache: Path) -> None:
    out = run("qa", "Who asked the CSTO for help?", cache=cache).stdout
    assert "Tokayev" in out.splitlines()[0] and "[1]" in out.splitlines()[0]
    assert "000_fdacb59eecfaee92.txt" in out and "line 12" in out and "confidence" in out
    assert "\x1b" not in out, "no colours into a pipe"


def test_the_json_form_is_printed(cache: Path) -> None:
    form = json.loads(run("qa", "Who asked the CSTO for help?", "--json", "--k", "3", cache=cache).stdout)
    assert form["citations"][0]["text"] == form["text"]
    assert form["citations"][0]["uri"].startswith("000_fdacb59eecfaee92.txt#char=")


def test_abstaining_is_status_3(cache: Path) -> None:
    out = run("qa", "How do I bake sourdough bread?", cache=cache, check=3).stdout
    assert "do not answer" in out and "Related, not an answer" in out


@pytest.mark.parametrize(
    ("environment", "bold"),
    [({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_the_answer_is_bold_at_a_terminal_that_wants_it(
    seeds: Pipeline, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], bold: bool
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Pipeline, "open", lambda *_, **__: seeds)
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert command_line.main(["Who asked the CSTO for help?"]) == 0
    assert ("\x1b[1m" in sys.stdout.getvalue()) == bold  # type: ignore[attr-defined]


def test_what_the_encoding_of_the_output_lacks_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding="ascii"))
    tell("“Ærø” \udcff")
    assert out.getvalue() == rb"\u201c\xc6r\xf8\u201d \udcff" + os.linesep.encode()


def test_nobody_reading_on_is_no_error(cache: Path) -> None:
    command = [sys.executable, "-m", "qa", "Who asked the CSTO for help?"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert (process.wait(300), process.stderr.read()) == (0, b"")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["qa", " "], "the question is empty"),
        (["qa", "Who?", "--corpus", "no-such"], "no-such is no folder"),
        (["qa", "Who?", "--k", "0"], "--k is 0"),
        (["qa", "Who?", "--threshold", "7"], "threshold is 7"),
        (["qa", "Who? " * 401], "the question has 2,005 characters: at most 2,000 are read"),
        (["qa", "Who?", "--index", "README.md"], "no index can lie in README.md: it is no folder"),
        (["index", "no-such"], "no-such is no folder"),
        (["qa.evaluate", "no-such.jsonl"], "cannot be read"),
        (["qa.train", "--data", "tests/questions.jsonl", "--out", "unused"], "SQuAD-shaped"),
        (["qa.calibrate", "tests/questions.jsonl"], "SQuAD-shaped"),
    ],
)
def test_bad_input_is_one_line_and_status_2(cache: Path, command: list[str], said: str) -> None:
    done = run(*command, cache=cache, check=2)
    assert said in done.stderr and len(done.stderr.strip().splitlines()) == 1


NASTY = "x\x1b[31m\x9b2J\u202e\x07.json"
COMMANDS = {
    "index.__main__": [NASTY],
    "index.cluster": [NASTY],
    "index.distil": [NASTY],
    "qa.__main__": ["Who?", "--corpus", NASTY],
    "qa.average": [NASTY, NASTY],
    "qa.calibrate": [NASTY],
    "qa.cluster": [NASTY],
    "qa.evaluate": [NASTY],
    "qa.train": ["--data", NASTY, "--out", NASTY],
    "qa.verify": [NASTY],
    "app.__main__": ["--corpus", NASTY],
}


@pytest.mark.parametrize("unknown", [True, False], ids=["unknown option", "no such file"])
@pytest.mark.parametrize("module", COMMANDS)
def test_no_argument_steers_the_terminal(module: str, unknown: bool, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*COMMANDS[module], *([f"--{NASTY}"] if unknown else [])]
    try:
        status = importlib.import_module(module).main(arguments)
    except SystemExit as end:
        status = end.code
    said = "".join(capsys.readouterr())
    assert status == 2 and r"x\x1b[31m\x9b2J\x202e\x07" in said, said
    assert "".join(said.split("\n")).isprintable()


def test_no_name_of_a_file_steers_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "folder \x1b[2J"
    (folder / "index").parent.mkdir()
    (folder / "dam \x1b[31m\x9bm.txt").write_text("The dam \x9b2J\u202e\n\nThe dam was closed on Monday \x9b31m.\n")
    (folder / "bad \x1b[31m.pdf").write_bytes(b"%PDF-1.4 cut short")
    (tmp_path / "\x1b[7m").mkdir()
    place = ["--index", str(tmp_path / "\x1b[7m" / "index"), "--encoder", "light"]
    assert indexing.main([str(folder), *place]) == 0
    said = capsys.readouterr().out
    assert "1 documents" in said and r"bad \x1b[31m.pdf" in said and r"\x1b[7m" in said
    for form in ([], ["--json"]):
        asked = ["When was the dam closed?", "--corpus", str(folder), "--threshold", "0", *place, *form]
        assert command_line.main(asked) == 0
        said += (answer := capsys.readouterr().out)
    assert json.loads(answer)["citations"][0]["document"] == "dam \x1b[31m\x9bm.txt"
    assert "".join(said.split("\n")).isprintable()


def test_indexing_says_what_it_did_and_what_it_could_not_read(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Dam closed\n\nThe dam was closed on Monday after cracks were found in its wall.\n")
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.4 cut short")
    out = run("index", str(tmp_path), "--index", str(tmp_path / "i" / "x"), cache=cache).stdout
    assert "1 documents, 1 passages" in out and "1 added" in out and "'b.pdf'" in out
    out = run("index", str(tmp_path), "--index", str(tmp_path / "i" / "x"), cache=cache).stdout
    assert "0 passages embedded" in out
    out = run("index", str(tmp_path), "--index", str(tmp_path / "i" / "x"), "--rebuild", cache=cache).stdout
    assert "1 passages embedded" in out


def test_the_evaluation_prints_a_table_and_writes_the_same_figures(cache: Path, tmp_path: Path) -> None:
    questions = tmp_path / "q.jsonl"
    seed = "000_fdacb59eecfaee92.txt"
    lines = [
        {"question": "Who asked the CSTO for help?", "answers": ["Kassym-Jomart Tokayev"], "document": seed},
        {"question": "How do I bake bread?", "answers": []},
        {"turns": [{"question": "Which news agency carried it?", "answers": ["BelTA"], "document": seed}]},
    ]
    questions.write_text("\n".join(map(json.dumps, lines)))
    out = run("qa.evaluate", str(questions), "--json", str(tmp_path / "f.json"), cache=cache).stdout
    figures = json.loads((tmp_path / "f.json").read_text())
    assert list(figures) == [
        "questions", "passages", "retrieval", "reader", "answers", "no_answer", "citations", "calibration",
        "latency_ms", "index", "versions",
    ]  # fmt: skip
    assert list(figures["retrieval"]) == ["recall@1", "recall@5", "recall@10", "mrr@10"]
    assert list(figures["answers"]) == ["em", "f1", "sentence_hit", "answered"]
    assert list(figures["no_answer"]) == ["precision", "recall", "f1", "auroc"]
    assert figures["citations"]["verified"] == 1.0 and figures["questions"] == 3
    assert f"{figures['answers']['f1']:.3f}" in out


def test_squad_shaped_questions_bring_their_own_corpus(cache: Path, tmp_path: Path) -> None:
    context = "The dam above Kestrel Valley was closed on Monday. Ilse Brandt had found cracks in its northern wall."
    other = "The bakery on Mill Street in Port Averil sells rye bread and opens at six in the morning every day."
    qas = [{"id": "1", "question": "Who found the cracks?", "answers": [{"text": "Ilse Brandt", "answer_start": 51}]}]
    none = [{"id": "2", "question": "Who owns the bakery?", "answers": [], "is_impossible": True}]
    paragraphs = [{"context": context, "qas": qas}, {"context": other, "qas": none}]
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"data": [{"title": "News", "paragraphs": paragraphs}]}))
    run("qa.evaluate", str(path), "--json", str(tmp_path / "f.json"), cache=cache)
    figures = json.loads((tmp_path / "f.json").read_text())
    assert (figures["questions"], figures["passages"]) == (2, 2)
    assert figures["retrieval"]["recall@1"] == 1.0
    assert figures["index"]["passages_per_second"] > 0


@pytest.mark.parametrize("command", ["index", "qa", "qa.evaluate", "qa.evaluate --json"])
def test_an_output_that_takes_nothing_is_one_line_and_no_success(tmp_path: Path, command: str) -> None:
    corpus, questions = tmp_path / "corpus", tmp_path / "questions.jsonl"
    corpus.mkdir()
    (corpus / "dam.txt").write_text("Dam closed\n\nThe dam above Kestrel Valley was closed on Monday.\n")
    questions.write_text(json.dumps({"question": "When was the dam closed?", "answers": ["Monday"]}))
    arguments = {
        "index": [str(corpus)],
        "qa": ["When was the dam closed?", "--corpus", str(corpus)],
        "qa.evaluate": [str(questions), "--corpus", str(corpus)],
    }
    name, *into_file = command.split()
    more = ["--encoder", "light", "--index", str(tmp_path / "index"), *(["--json", "/dev/full"] if into_file else [])]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", name, *arguments[name], *more], cwd=ROOT, text=True, timeout=300,
            stdout=None if into_file else full, stderr=subprocess.PIPE,
        )  # fmt: skip
    said = "qa.evaluate: /dev/full cannot be written" if into_file else "the output cannot be written"
    assert done.returncode == (2 if into_file else 1), done.stderr
    assert done.stderr == f"{said}: No space left on device\n"
