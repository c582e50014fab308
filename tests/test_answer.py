"""Answers and citations: their forms, and that they prove what they say. No model is needed."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from index import read_document
from index.progress import visible
from qa import Alternative, Answer, Citation, Excerpt

TEXT = "Dam closed\n\nThe <b>dam</b> was closed on Monday. Cracks were found by Ilse Brandt.\n"


def cite(folder: Path, quoted: str, *, number: int = 1, name: str = "dam news.txt") -> Citation:
    document = read_document(folder / name, folder)
    start = document.text.index(quoted)
    sentence = document.text.index("The <b>") if quoted in TEXT[:50] else document.text.index("Cracks")
    end = document.text.index(".", sentence) + 1
    return Citation(
        number=number,
        document=document.path,
        title=document.title,
        date=document.date,
        start=start,
        end=start + len(quoted),
        text=quoted,
        sentence_start=sentence,
        sentence_end=end,
        sentence=document.text[sentence:end],
        passage=Excerpt(12, len(document.text) - 1, document.text[12:-1]),
        anchor=document.anchor(start),
        sha256=document.sha256,
        folder=str(folder),
    )


@pytest.fixture
def citation(tmp_path: Path) -> Citation:
    (tmp_path / "dam news.txt").write_text(TEXT)
    return cite(tmp_path, "Ilse Brandt")


def answer(citation: Citation) -> Answer:
    return Answer("Who found cracks?", citation.text, citation.sentence, 0.83, (citation,))


def test_the_uri_is_that_of_rfc_5147(citation: Citation) -> None:
    start = TEXT.index("Ilse")
    assert citation.uri == f"dam%20news.txt#char={start},{start + 11}"


def test_a_citation_verifies_until_its_file_changes(citation: Citation) -> None:
    path = Path(citation.folder) / citation.document
    assert citation.verify()
    path.write_text(TEXT + " More.")
    assert not citation.verify(), "the words still stand there, but the file is another"
    path.write_text(TEXT)
    assert citation.verify()
    path.unlink()
    assert not citation.verify()


def test_a_citation_with_other_words_or_offsets_does_not_verify(citation: Citation) -> None:
    assert not replace(citation, text="Ilse Brandl").verify()
    assert not replace(citation, start=citation.start + 1).verify()
    assert not replace(citation, sentence_end=citation.sentence_end - 1).verify()


def test_answers_cannot_be_changed(citation: Citation) -> None:
    with pytest.raises(FrozenInstanceError):
        answer(citation).text = "other"  # type: ignore[misc]


def test_the_json_form_is_whole_and_names_no_local_folder(citation: Citation) -> None:
    other = Alternative("Monday", "x", 0.5, (citation,))
    form = json.loads(json.dumps(replace(answer(citation), alternatives=(other,), related=(citation,)).to_dict()))
    assert set(form) == {
        "question", "understood_as", "text", "sentence", "confidence", "citations", "alternatives", "related",
        "partial",
    }  # fmt: skip
    assert form["citations"][0]["uri"] == citation.uri
    assert form["citations"][0]["anchor"]["line"] == 3
    assert form["alternatives"][0]["citations"] == form["related"] == form["citations"]
    assert citation.folder not in json.dumps(form)


def test_the_terminal_form_marks_the_answer_in_its_sentence(citation: Citation) -> None:
    shown = answer(citation).render(bold=lambda text: f"*{text}*")
    assert "Cracks were found by *Ilse Brandt*. [1]" in shown
    assert "dam news.txt, line 3" in shown
    assert "83%" in shown
    assert "*" not in str(answer(citation))


def test_no_answer_says_so_and_lists_what_is_related(citation: Citation) -> None:
    none = Answer("Who?", None, None, 0.1, (), related=(citation,))
    assert str(none).startswith("The documents do not answer this.\n\nRelated, not an answer:")
    assert "do not answer" in none._repr_html_() and "Related, not an answer" in none._repr_html_()


@pytest.mark.parametrize("spoil", [lambda path: path.write_text(TEXT + " More."), Path.unlink, None])
def test_an_answer_is_rechecked_against_the_files_as_they_are_now(citation: Citation, spoil: object) -> None:
    given = replace(answer(citation), alternatives=(Alternative("x", "x", 0.5, (citation,)),), related=(citation,))
    if spoil is not None:
        spoil(Path(citation.folder) / citation.document)  # type: ignore[operator]
    now = given.rechecked()
    cited = (*now.citations, *now.alternatives[0].citations, *now.related)
    assert [c.stale for c in cited] == [spoil is not None] * 3
    assert replace(now.citations[0], stale=False) == citation and (spoil is not None or now == given)


def test_a_stale_citation_is_said_to_be_stale(citation: Citation) -> None:
    stale = replace(citation, stale=True)
    assert "changed since it was indexed" in str(answer(stale))
    assert "changed since it was indexed" in answer(stale)._repr_html_()
    assert "changed" not in str(answer(citation))


def test_the_notebook_form_escapes_the_documents_markup(tmp_path: Path) -> None:
    (tmp_path / "dam news.txt").write_text(TEXT)
    shown = answer(cite(tmp_path, "<b>dam</b>"))._repr_html_()
    assert "<strong>&lt;b&gt;dam&lt;/b&gt;</strong>" in shown and "<b>" not in shown


def test_a_document_cannot_steer_a_terminal() -> None:
    assert visible("a\x1b[31mred\x07\u202eback\nnew") == "a\\x1b[31mred\\x07\\x202eback new"


@pytest.mark.parametrize("change", ["edited", "removed", "replaced by a link outside", "made a folder"])
def test_no_door_shows_a_citation_of_a_changed_file_as_good(citation: Citation, change: str, tmp_path: Path) -> None:
    path = Path(citation.folder) / citation.document
    data = path.read_bytes()
    path.unlink()
    if change == "edited":
        path.write_bytes(b"More. " + data)
    elif change == "replaced by a link outside":
        outside = tmp_path.parent / f"{tmp_path.name}-outside.txt"
        outside.write_bytes(data)
        path.symlink_to(outside)
    elif change == "made a folder":
        path.mkdir()
    assert not citation.verify()
    stale = replace(citation, stale=True)
    shown = Answer("Who?", citation.text, citation.sentence, 0.8, (citation,), (Alternative("x", "x", 0.5, (stale,)),))
    [line] = [line for line in str(shown).splitlines() if line.startswith("  or:")]
    assert "changed since it was indexed" in line


def test_an_answer_from_a_part_of_the_documents_says_so_in_every_form(citation: Citation) -> None:
    why = "1 of 4 parts of the documents did not answer in time"
    for whole in (answer(citation), Answer("Who?", None, None, 0.1, ())):
        partial = replace(whole, partial=why)
        assert partial.to_dict()["partial"] == why and whole.to_dict()["partial"] is None
        for form in (str, Answer._repr_html_):
            assert f"Incomplete: {why}." in form(partial) and "Incomplete" not in form(whole)
