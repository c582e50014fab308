"""What comes from outside, mutated and made up: it is read or refused with a reason, and nothing else ever happens.

The short runs belong to every test run; `pytest -m soak tests/test_fuzz.py` runs each for SOAK_EXAMPLES examples.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import formats
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from index import BadInput, BadQuery, BadQuestions, Document, Index, UnreadableDocument, sentences, split
from index.bounded import read_bounded
from index.documents import parse
from index.lexical import LexicalIndex
from qa import Answer
from qa.conversation import complete
from qa.export import FORMAT
from qa.questions import read_questions
from qa.verify import read_conversation
from tests.conftest import LetterEmbedder

SHORT = settings(
    max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), print_blob=True
)
LONG = settings(SHORT, max_examples=int(os.environ.get("SOAK_EXAMPLES", "20000")), derandomize=False)

HTML = (
    b"<!DOCTYPE html><html><head><meta charset=utf-8><title>Mills &amp; dams</title></head><body><header><h1>Mills</h1>"
    b"</header><nav>a<a href=x>b</a></nav><article><h2>First</h2><p>The mill &#x202e; stood <b>here</b>.<br><br>And "
    b"there.</p>"
    b"<table><tr><td>a</td><td>b</td></tr></table><!-- c --><script>if (a<b) x()</script><p hidden>no</p>"
    b"<select><option>o</select><svg><p>s</p></svg><template><p>t</p></template></article></body></html>"
)
MARKDOWN = (
    b"---\ntitle: T\ndate: 2024-01-02\n---\n\n# H #\n\n- a\n  - b\n\n```\nx\n```\n\n"
    b"|a|b|\n|-|-|\n|1|2|\n> q\n\n[a]: b\n"
)
TEXT = (
    "Dam closed\nBy A. B.\n12 May 2024\n\nThe dam was closed at 5 p.m. / Tuesday.\nRead more: x\n"
    "- a\n- b\n\n“Q?” he said.\n"
).encode()
BASES = {
    ".docx": formats.word(),
    ".pdf": formats.pdf([formats.LINES, formats.LINES, ["2", "x"]], title="T", created="D:20240102"),
    ".html": HTML,
    ".md": MARKDOWN,
    ".txt": TEXT,
}
SPLICES = [
    b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"&#xD800;", b"&#0;", b"\r", b"\n\n", b"<", b"]]>",
    b"<p>" * 200, b"<b><a>" * 50, b"</p>", b"<header>", b"</header>", b"<table>", b"<w:tbl>", b"<w:tr/>", b"<w:p/>",
    b">" * 60, b"<![CDATA[", b"-1", b"99999999999", b"2 0 R", b"1 0 R", b"/Kids [2 0 R]", b"endobj", b"stream",
    b"[" * 80, b"`" * 40, b"---\n",
    "\u202eabc\u2066".encode(), "é".encode("cp1252"), "𝒳🙂".encode(), "\u2028".encode(), "\x85".encode(),
    b"a" * 3000, b"a b. " * 800,
]  # fmt: skip


def mutated(data: bytes, random_: random.Random) -> bytes:
    """`data` with a few bytes changed, pieces cut, doubled or spliced in."""
    changed = bytearray(data)
    for _ in range(random_.randint(1, 8)):
        at = random_.randrange(len(changed) + 1)
        match random_.randrange(5):
            case 0 if at < len(changed):
                changed[at] = random_.randrange(256)
            case 1:
                del changed[at : at + random_.randint(1, 40)]
            case 2:
                changed[at:at] = changed[at : at + random_.randint(1, 200)] * random_.randint(1, 4)
            case 3:
                changed[at : at + random_.randint(0, 3)] = random_.choice(SPLICES)
            case _:
                changed[at:at] = bytes(random_.randrange(256) for _ in range(random_.randint(1, 6)))
    return bytes(changed)


def word_mutated_inside(random_: random.Random) -> bytes:
    """A .docx whose zip file is sound, and whose parts are not."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(BASES[".docx"])) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        names = old.namelist()
        chosen = random_.choice([random_.choice(names), "word/document.xml", "word/styles.xml"])
        for name in names:
            part = old.read(name)
            new.writestr(name, mutated(part, random_) if name == chosen else part)
    return out.getvalue()


def sound_document(document: Document) -> None:
    """Whatever a document was made of, this holds."""
    assert "\0" not in document.text and document.text.encode() and document.title.encode()
    end = 0
    for block in document.blocks:
        assert end <= block.start < block.end <= len(document.text)
        assert document.text[block.start : block.end].strip() == document.text[block.start : block.end]
        end = block.end
    passages = split(document)
    assert [p.ordinal for p in passages] == list(range(len(passages)))
    for passage in passages:
        assert 0 <= passage.start < passage.end <= len(document.text) and passage.end - passage.start <= 1000
        assert document.text[passage.start : passage.end].strip()
        document.anchor(passage.start)
    assert all(a.start < b.start and a.end < b.end for a, b in pairwise(passages))


def check_reading(seed: int) -> None:
    random_ = random.Random(seed)
    suffix = random_.choice(sorted(BASES))
    inside = suffix == ".docx" and random_.random() < 0.8
    data = word_mutated_inside(random_) if inside else mutated(BASES[suffix], random_)
    read: Callable[[], Document] = lambda: parse(data, f"a{suffix}", content=read_bounded)  # noqa: E731
    try:
        document = read()
    except UnreadableDocument as error:
        assert error.reason and "broke down" not in error.reason and "takes over" not in error.reason, error.reason
        assert "\n" not in error.reason and len(error.reason) < 200
    else:
        assert document == read()
        sound_document(document)


def check_splitting(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    for suffix in (".txt", ".md"):
        try:
            document = parse(data, f"a{suffix}")
        except UnreadableDocument:
            continue
        sound_document(document)
        found = sentences(document.text)
        assert all(a < b for a, b in found) and all(a[1] <= b[0] for a, b in pairwise(found))
        inside = {i for a, b in found for i in range(a, b)}
        assert all(i in inside or c.isspace() for i, c in enumerate(document.text))


def check_question(query: str, index: Index, lexical: LexicalIndex) -> None:
    sound = query.encode("utf-8", "replace").decode()
    try:
        assert len(index.search(query, 3)) == min(3, len(index))
    except BadQuery:
        assert not query.strip()
    assert {number for number, _ in lexical.search(sound, 3)} <= {1, 2}
    answer = Answer(sound, "Ilse Brandt", "Ilse Brandt found cracks.", 0.9, ())
    completed = complete(sound, [answer, answer])
    assert completed is None or completed.encode()


def check_questions_file(data: bytes, folder: Path) -> None:
    for name, content in (("q.jsonl", data), ("q.jsonl.gz", gzip.compress(data, 1)), ("q.json", b"\x1f\x8b" + data)):
        path = folder / name
        path.write_bytes(content)
        try:
            for conversation in read_questions(path):
                assert conversation and all(turn.question.strip() for turn in conversation)
        except BadQuestions as error:
            assert str(path) in str(error)
        try:
            read_conversation(path)
        except BadInput as error:
            assert str(path) in str(error)


WORDS = st.sampled_from(
    "a. B.C. Dr. 5 p.m. / Tuesday No. 7 - * • 1) (2) # ## > ``` | --- Read more: By A \n \n\n \r\n \u2028 \x85 \u202e "
    "🙂 “ ” ? ! … aaaa The mill stood here, it was said. 'quoted' title: date: 2024-01-02 May \x1c \ud800 \u0301 "
    "漢字。 النص العربي هنا.".split(" ")
    + [" ", "\n", "\n\n", "x" * 1200]
)
TEXTS = st.lists(WORDS, max_size=60).map(" ".join) | st.lists(WORDS, max_size=60).map("".join) | st.text(max_size=400)
QUERIES = TEXTS | st.sampled_from(
    ["' OR 1=1 --", '"; DROP TABLE documents; --', "title:(a AND NOT b)^2", "text:[a TO z]", "*", "a~9",
     "+-&&||!(){}[]^\"~*?:\\/", "🙂" * 50]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["dam", FORMAT]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            "question answers turns context title data paragraphs qas text start answer_start is_impossible document "
            "id format citations alternatives related target selector type exact sha256".split()
        ),
        inner,
        max_size=6,
    ),
    max_leaves=20,
)  # fmt: skip
LINE = b'{"title": "T", "context": "The dam is old.", "question": "What?", "answers": [{"text": "dam", "start": 4}]}\n'
FILES = (
    st.lists(JSON, max_size=4).map(lambda values: "\n".join(map(json.dumps, values)).encode())
    | st.integers(0, 2**32).map(lambda seed: mutated(LINE * 3, random.Random(seed)))
    | st.binary(max_size=60)
)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "corpus").mkdir()
    for name in ("dam", "mill"):
        (folder / "corpus" / f"{name}.txt").write_text(f"The {name}\n\nThe {name} on the river was closed on Monday.\n")
    index = Index(folder / "index", LetterEmbedder())
    index.sync(folder / "corpus")
    return index


@pytest.fixture(scope="module")
def lexical() -> LexicalIndex:
    return LexicalIndex.build([(1, 7, "dams and mills", "T", "", None), (2, 7, "rivers", "T", "", "2024-01-02")])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("questions")


SEEDS = st.integers(0, 2**48)


@SHORT
@given(seed=SEEDS)
def test_mutated_files_are_read_or_refused(seed: int) -> None:
    check_reading(seed)


@SHORT
@given(text=TEXTS)
@example(text="# ``` a. ```")  # blanks inside a heading's marks
def test_any_text_is_split_into_its_own_slices(text: str) -> None:
    check_splitting(text)


@SHORT
@given(query=QUERIES)
@example(query="a\0b")
@example(query="\ud800")
def test_any_question_is_searched_for(query: str, index: Index, lexical: LexicalIndex) -> None:
    check_question(query, index, lexical)


@SHORT
@given(data=FILES)
@example(data=b'{"question": 1e999, "answers": null}')
@example(data=b"[" * 100_000)
@example(data=b'{"data": {"paragraphs": [' + b"[" * 100_000)
def test_any_file_of_questions_is_read_or_refused(data: bytes, folder: Path) -> None:
    check_questions_file(data, folder)


@pytest.mark.soak
@LONG
@given(seed=SEEDS)
def test_mutated_files_for_long(seed: int) -> None:
    check_reading(seed)


@pytest.mark.soak
@LONG
@given(text=TEXTS)
def test_any_text_for_long(text: str) -> None:
    check_splitting(text)


@pytest.mark.soak
@LONG
@given(query=QUERIES)
def test_any_question_for_long(query: str, index: Index, lexical: LexicalIndex) -> None:
    check_question(query, index, lexical)


@pytest.mark.soak
@LONG
@given(data=FILES)
def test_any_file_of_questions_for_long(data: bytes, folder: Path) -> None:
    check_questions_file(data, folder)
