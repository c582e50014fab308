"""What is kept of a conversation: Markdown, Web Annotations, text to paste; and what is kept can be checked."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from test_answer import TEXT, answer, cite

from qa import Alternative, Answer, Citation, conversation_json, conversation_markdown, copy_text
from qa.verify import main

STRANGE = st.text(alphabet="ab <>&*_`#[]()!-+=1.~|\\$\n", max_size=30)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "dam news.txt").write_text(TEXT)
    return folder


@pytest.fixture
def answers(corpus: Path) -> list[Answer]:
    first = cite(corpus, "Ilse Brandt")
    other = cite(corpus, "Monday", number=2)
    other = replace(other, sentence_start=12, sentence_end=TEXT.index(" Cracks"), sentence=TEXT[12 : TEXT.index(" Cr")])
    found = replace(answer(first), alternatives=(Alternative("Monday", other.sentence, 0.4, (other,)),))
    return [found, Answer("Why?", None, None, 0.1, (), related=(replace(first, number=1),), understood_as="Why it?")]


@pytest.fixture
def saved(tmp_path: Path, answers: list[Answer]) -> Path:
    file = tmp_path / "conversation.json"
    file.write_text(json.dumps(conversation_json(answers)))
    return file


def test_citations_are_web_annotations_with_the_documents_hash(answers: list[Answer], corpus: Path) -> None:
    turns = conversation_json(answers)["turns"]
    annotation, citation = turns[0]["citations"][0], answers[0].citations[0]
    assert annotation["@context"] == "http://www.w3.org/ns/anno.jsonld" and annotation["type"] == "Annotation"
    assert annotation["target"]["source"] == "dam%20news.txt" and annotation["target"]["sha256"] == citation.sha256
    quote, position = annotation["target"]["selector"]
    assert quote == {
        "type": "TextQuoteSelector", "exact": "Ilse Brandt", "prefix": TEXT[citation.start - 32 : citation.start],
        "suffix": ".",
    }  # fmt: skip
    assert position == {"type": "TextPositionSelector", "start": citation.start, "end": citation.end}
    every = [*turns[0]["citations"], *turns[0]["alternatives"][0]["citations"], *turns[1]["related"]]
    assert len({a["id"] for a in every}) == 3 and all(a["id"].startswith("urn:uuid:") for a in every)
    assert str(corpus) not in json.dumps(turns)


def test_what_is_saved_verifies_one_line_a_citation(
    saved: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(saved), "--corpus", str(corpus)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and all(line.startswith("good  turn ") for line in lines)
    assert "dam news.txt characters" in lines[0] and "“Ilse Brandt”" in lines[0]


def test_a_document_in_another_folder_is_found_there(saved: Path, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert main([str(saved), "--corpus", str(tmp_path / "other")]) == 1
    assert main([str(saved), "--corpus", str(tmp_path / "other"), "--corpus", str(corpus)]) == 0


def test_a_document_that_changed_is_told(saved: Path, corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (corpus / "dam news.txt").write_text(TEXT + "More.")
    assert main([str(saved), "--corpus", str(corpus)]) == 1
    assert capsys.readouterr().out.count("its sha256 differs") == 3
    (corpus / "dam news.txt").unlink()
    assert main([str(saved), "--corpus", str(corpus)]) == 1
    assert capsys.readouterr().out.count("it is gone") == 3


FORGERIES = {
    ("citations", 0, "target", "selector", 0, "exact"): ("Ilse Brandl", "other words stand there"),
    ("citations", 0, "target", "selector", 1, "start"): (3, "other words stand there"),
    ("citations", 0, "target", "selector", 0, "prefix"): ("found by ILSE", "before or after"),
    ("citations", 0, "target", "selector", 0, "suffix"): ("?", "before or after"),
    ("citations", 0, "target", "sentence", "exact"): ("Cracks were not found.", "their sentence is another"),
    ("citations", 0, "target", "sentence", "start"): (0, "their sentence is another"),
    ("citations", 0, "target", "sha256"): ("0" * 64, "its sha256 differs"),
    ("text",): ("Bob", "the answer is not what its citation quotes"),
    ("sentence",): ("No cracks were found.", "the answer is not what its citation quotes"),
    ("alternatives", 0, "text"): ("Sunday", "the answer is not what its citation quotes"),
}


def changed(saved: Path, path: tuple[str | int, ...], value: object) -> None:
    form = json.loads(saved.read_text())
    place = form["turns"][0]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    saved.write_text(json.dumps(form))


@pytest.mark.parametrize("path", FORGERIES, ids=str)
def test_a_forgery_is_found(saved: Path, corpus: Path, path: tuple, capsys: pytest.CaptureFixture[str]) -> None:
    value, said = FORGERIES[path]
    changed(saved, path, value)
    assert main([str(saved), "--corpus", str(corpus)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if line.startswith("BAD ") and said in line]) == 1 and len(lines) == 3


@pytest.mark.parametrize(
    "source",
    ["../secret.txt", "%2e%2e/secret.txt", "/etc/hostname.txt", "link.txt", "a\0b.txt", "%00.txt", "x" * 5000 + ".txt",
     "\ud800.txt", "", ".", "sub/../../secret.txt", "\x1b[31m.txt"],
)  # fmt: skip
def test_a_path_never_leaves_the_corpus(
    saved: Path, corpus: Path, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (corpus.parent / "secret.txt").write_text(TEXT)
    (corpus / "link.txt").symlink_to(corpus.parent / "secret.txt")
    changed(saved, ("citations", 0, "target", "source"), source)
    assert main([str(saved), "--corpus", str(corpus)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("BAD ") and len(lines) == 3 and "\x1b" not in lines[0]


@pytest.mark.parametrize(
    "content",
    [b"", b"no json", b"\xff\xfe", b"[]", b"3", b"null", b'{"turns": []}', b"[" * 200_000, b"1" * 5000,
     b'{"format": "extractive-qa conversation 1"}', b'{"format": ["x"], "turns": []}',
     b'{"format": "extractive-qa conversation 1", "turns": [3]}',
     b'{"format": "extractive-qa conversation 1", "turns": [{"text": "x", "citations": []}]}'],
    ids=lambda content: content[:60].decode("latin-1"),
)  # fmt: skip
def test_what_is_no_conversation_is_one_line_and_status_2(tmp_path: Path, content: bytes, capsys) -> None:
    file = tmp_path / "file.json"
    file.write_bytes(content)
    assert main([str(file), "--corpus", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert not said.out and said.err.startswith("qa.verify: ") and said.err.count("\n") == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), value=JSON)
def test_no_json_is_a_traceback(saved: Path, corpus: Path, answers: list[Answer], data, value: object) -> None:
    form = copy.deepcopy(conversation_json(answers))
    place: object = form
    while True:  # walk to some place in the form and put anything there
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        inner = place[key]
        if isinstance(inner, dict | list) and inner and data.draw(st.booleans()):
            place = inner
            continue
        place[key] = value
        break
    saved.write_text(json.dumps(form))
    assert main([str(saved), "--corpus", str(corpus)]) in (0, 1, 2)


def test_the_command_line_says_bad_input_without_a_traceback(tmp_path: Path) -> None:
    for arguments in (["none.json"], [str(tmp_path)], [str(tmp_path / "x"), "--corpus", "none"]):
        done = subprocess.run([sys.executable, "-m", "qa.verify", *arguments], capture_output=True, text=True)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and not done.stdout


def test_the_text_to_paste_names_title_file_place_and_date(answers: list[Answer]) -> None:
    dated = replace(answers[0], citations=(replace(answers[0].citations[0], date="2024-03-12"),))
    assert copy_text(dated) == ("“Cracks were found by Ilse Brandt.”\n[1] Dam closed, dam news.txt, line 3, 2024-03-12")
    assert copy_text(answers[1]) == "Why?\nThe documents do not answer this."


def test_the_markdown_form_tells_the_conversation(answers: list[Answer]) -> None:
    shown = conversation_markdown(answers)
    assert "“Cracks were found by **Ilse Brandt**.” \\[1\\]" in shown and "Confidence 83%." in shown
    assert "Or “Monday”, confidence 40%:" in shown and "Related, not an answer:" in shown
    assert "Understood as: Why it?" in shown


def shown_text(markdown: str) -> str:
    html = MarkdownIt("commonmark").enable("strikethrough").enable("table").render(markdown)
    assert set(re.findall(r"</?(\w+)", html)) <= {"h1", "h2", "p", "ol", "li", "br", "strong"}, html
    plain = re.sub(r"<[^>]*>", "", html)
    return plain.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")


def hostile(citation: Citation, words: str, title: str) -> Answer:
    sentence = f"{words} x"
    cited = replace(
        citation, title=title, text=words, start=5, end=5 + len(words), sentence_start=5,
        sentence_end=5 + len(sentence), sentence=sentence,
    )  # fmt: skip
    return Answer(title, words, sentence, 0.5, (cited,))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=STRANGE.map(lambda text: f"a{text}a"), title=STRANGE.map(lambda text: text + "a"))
def test_markup_in_documents_is_shown_as_text_in_markdown(answers: list[Answer], words: str, title: str) -> None:
    found = hostile(answers[0].citations[0], words, title)
    shown = " ".join(shown_text(conversation_markdown([found])).split())
    assert f"1. {' '.join(title.split())}" in shown
    assert " ".join(f"“{words} x”".split()) in shown
