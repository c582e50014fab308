"""The whole way on the real seed, with the real models."""

from __future__ import annotations

import re
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

import qa
from qa import BadCorpus, BadInput, BadQuery, Pipeline, beside, together
from qa.candidates import group, rank, short_for
from qa.choice import READ_WITHIN
from qa.confidence import CONFIDENCE
from qa.pipeline import reader_files
from qa.reader import WEIGHTS
from tests.conftest import ROOT

ANSWERED = {
    "Who asked the CSTO for help?": "Tokayev",
    "How many planes were seized at the airport?": "five",
    "Which news agency carried Lukashenko's remarks?": "BelTA",
    "What was the original cause of the protests?": "LPG prices",
}


@pytest.mark.parametrize("question", ANSWERED)
def test_the_seed_answers_in_its_own_words(seeds: Pipeline, question: str) -> None:
    answer = seeds.ask(question)
    assert answer.text is not None and answer.sentence is not None
    assert ANSWERED[question] in answer.sentence
    assert answer.text in answer.sentence


@pytest.mark.parametrize("question", ["How do I bake sourdough bread?", "Who won the football world cup in 1998?"])
def test_what_the_seed_does_not_say_is_not_answered(seeds: Pipeline, question: str) -> None:
    answer = seeds.ask(question)
    assert answer.text is None and answer.sentence is None and answer.citations == ()
    assert len(answer.related) == 5
    assert all(c.verify() for c in answer.related)


def test_every_citation_slices_its_document_exactly(seeds: Pipeline) -> None:
    text = next((ROOT / "seeds").glob("*.txt")).read_text(encoding="utf-8")
    lines = text.split("\n")
    for question in ANSWERED:
        answer = seeds.ask(question)
        for c in (*answer.citations, *(c for a in answer.alternatives for c in a.citations)):
            assert c.verify() and not c.stale
            assert text[c.start : c.end] == c.text
            assert text[c.sentence_start : c.sentence_end] == c.sentence
            assert text[c.passage.start : c.passage.end] == c.passage.text
            assert c.sentence_start <= c.start < c.end <= c.sentence_end
            assert c.anchor.line is not None and c.text in lines[c.anchor.line - 1]


def test_answers_are_numbered_through_and_confidences_fall(seeds: Pipeline) -> None:
    answer = replace_threshold(seeds, 0.0).ask("Who seized the airports?")
    numbers = [c.number for c in answer.citations] + [c.number for a in answer.alternatives for c in a.citations]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(answer.alternatives) >= 1
    assert all(0 <= a.confidence <= 1 for a in answer.alternatives)


def replace_threshold(pipeline: Pipeline, threshold: float) -> Pipeline:
    return Pipeline(pipeline.index, pipeline.reader, replace(pipeline.confidence, threshold=threshold))


def test_the_threshold_alone_decides_whether_to_answer(seeds: Pipeline) -> None:
    question = "Who asked the CSTO for help?"
    sure = seeds.ask(question).confidence
    assert replace_threshold(seeds, sure + 0.001).ask(question).text is None
    assert replace_threshold(seeds, sure).ask(question).text is not None


def test_the_same_question_gets_the_same_answer(seeds: Pipeline) -> None:
    assert seeds.ask("Who is Tokayev?") == seeds.ask("Who is Tokayev?")


@pytest.mark.parametrize(
    ("question", "k", "said"),
    [("", 5, "empty"), (" \n", 5, "empty"), ("Who?", 0, "at least 1"), ("x" * 2001, 5, "2,001")],
)
def test_a_bad_question_is_refused(seeds: Pipeline, question: str, k: int, said: str) -> None:
    with pytest.raises(BadQuery, match=said):
        seeds.ask(question, k=k)


@pytest.mark.parametrize(
    "question", ["?", "🛫✈️", "SELECT * FROM documents; --", 'title:"x" AND (', "‮gnp.exe", "\ud800 half", "who " * 400]
)
def test_strange_questions_get_an_answer_or_none(seeds: Pipeline, question: str) -> None:
    answer = seeds.ask(question)
    assert answer.text is None or all(c.verify() for c in answer.citations)


def test_a_document_that_changes_after_indexing_makes_its_citations_stale(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    shutil.copytree(ROOT / "seeds", corpus)
    pipeline = Pipeline.open(corpus, index=tmp_path / "index", threshold=0.0)
    question = "Who asked the CSTO for help?"
    assert not any(c.stale for c in pipeline.ask(question).citations)
    path = next(corpus.glob("*.txt"))
    path.write_text("Another headline\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    answer = pipeline.ask(question)
    assert answer.citations and all(c.stale and not c.verify() for c in answer.citations)
    again = Pipeline.open(corpus, index=tmp_path / "index", threshold=0.0).ask(question)
    assert again.citations and not any(c.stale or not c.verify() for c in again.citations)


def test_a_folder_without_documents_is_refused_with_the_reasons(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "empty.txt").write_text("")
    with pytest.raises(BadCorpus, match=r"empty\.txt"):
        Pipeline.open(tmp_path / "corpus", index=tmp_path / "index")
    with pytest.raises(BadCorpus, match="no folder"):
        Pipeline.open(tmp_path / "none", index=tmp_path / "index")


def test_a_follow_up_is_understood_from_the_conversation(seeds: Pipeline) -> None:
    first = seeds.ask("Who asked the CSTO for help?")
    second = seeds.ask("What did he say about the premises where small arms are located?", history=[first])
    assert second.understood_as is None or "Tokayev" in second.understood_as
    assert second.question == "What did he say about the premises where small arms are located?"


def test_the_module_level_ask_answers_from_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    answer = qa.ask("Who asked the CSTO for help?", corpus=ROOT / "seeds", k=3)
    assert answer.sentence is not None and "Tokayev" in answer.sentence
    assert list(tmp_path.glob("extractive-qa/seeds-*/store.sqlite"))


def test_equal_answers_are_one_group_and_overlapping_ones_are_dropped(seeds: Pipeline) -> None:
    examined = seeds.examine("Which airport was seized?")
    candidates = rank(examined.readings)
    assert [c.score for c in candidates] == sorted((c.score for c in candidates), reverse=True)
    groups = group(candidates)
    texts = [g[0].text.lower() for g in groups]
    assert len(texts) == len(set(texts))
    kept = sorted((c.start, c.end) for g in groups for c in g)
    assert all(a[1] <= b[0] for a, b in zip(kept, kept[1:], strict=False))


def test_each_text_is_read_once_and_at_most_as_many_as_were_asked_for(seeds: Pipeline) -> None:
    for question in (*ANSWERED, "How do I bake sourdough bread?"):
        readings = seeds.examine(question, k=4).readings
        assert 1 <= len(readings) <= 4
        for i, reading in enumerate(readings):
            passage = reading.hit.passage
            assert not any(before.start <= passage.start and passage.end <= before.end for before in readings[:i])


@pytest.mark.parametrize("question", ANSWERED)
def test_however_sure_the_first_passage_is_the_others_that_fit_nearly_as_well_are_read(
    seeds: Pipeline, question: str
) -> None:
    examined = seeds.examine(question)
    for hit in examined.hits[:5]:
        passage = hit.passage
        held = any(r.start <= passage.start and passage.end <= r.end for r in examined.readings)
        assert held or hit.score < examined.hits[0].score - READ_WITHIN


@pytest.fixture(scope="module")
def news(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return Pipeline.open(ROOT / "tests" / "corpus", index=tmp_path_factory.mktemp("news-index"))


def test_only_the_documents_that_are_named_are_searched(news: Pipeline) -> None:
    question = "When was the dam built?"
    chosen = {"01-quarry-dam-closed.txt", "02-dam-gate-fails.txt"}
    answer = replace_threshold(news, 0.0).ask(question, documents=chosen)
    cited = [*answer.citations, *(c for a in answer.alternatives for c in a.citations)]
    assert cited and {c.document for c in cited} <= chosen and all(c.verify() for c in cited)
    none = news.ask(question, documents=[])
    assert none.text is None and none.related == ()


def test_a_follow_up_looks_first_into_the_document_that_was_cited(news: Pipeline) -> None:
    first = news.ask("Who closed the dam in Kestrel Valley?", documents=["01-quarry-dam-closed.txt"])
    cited = {c.document for c in first.citations or first.related}
    assert cited == {"01-quarry-dam-closed.txt"}
    alone, after = news.examine("What did he say?"), news.examine("What did he say?", history=[first])
    place = [[h.passage.document.path in cited for h in e.hits].count(True) for e in (alone, after)]
    assert place[1] > place[0]
    assert [h.score for h in after.hits] == sorted((h.score for h in after.hits), reverse=True)


def test_of_articles_that_are_all_but_the_same_the_one_that_is_asked_for_answers(tmp_path: Path) -> None:
    keepers = {"Quorvane": "Ann Osgood", "Brindlow": "Ida Marsh", "Tesmond": "Lew Carrow", "Ardwick": "Tom Fell"}
    (tmp_path / "corpus").mkdir()
    for town, name in keepers.items():
        text = f"A keeper for {town}\n\nThe keeper of the lighthouse at {town} is {name}, who was chosen on Monday.\n"
        (tmp_path / "corpus" / f"{town}.txt").write_text(text)
    pipeline, history = Pipeline.open(tmp_path / "corpus", index=tmp_path / "index"), []
    for town, name in keepers.items():  # in one conversation, in which the articles cited before rank higher
        history.append(pipeline.ask(f"Who is the keeper of the lighthouse at {town}?", history=history))
        assert history[-1].text == name


def test_a_mere_pronoun_is_no_answer(seeds: Pipeline) -> None:
    examined = seeds.examine("Who said that airports were seized?")
    texts = {c.text.lower() for c in rank(examined.readings)}
    assert texts and not texts & {"he", "they", "it", "that"}
    reading = examined.readings[0]
    text = reading.hit.passage.document.text
    at = next(m.start() for m in re.finditer(r"\bhe\b", text))
    span = replace(reading.spans[0], start=at, end=at + 2, score=99.0)
    assert all(c.text != "he" for c in rank([replace(reading, spans=(span, *reading.spans))]))


def test_another_folder_is_asked_beside_the_corpus_with_the_same_models_while_it_grows(
    news: Pipeline, tmp_path: Path
) -> None:
    folder = tmp_path / "added"
    folder.mkdir()
    (folder / "mill.txt").write_text("Mill burns down\n\nThe old mill at Ardal was built in 1874 by Ada Lindqvist.\n")
    own = beside(news, tmp_path / "index")
    own.index.sync(folder)
    for number in range(200):
        (folder / f"{number}.txt").write_text(f"Tides\n\nParagraph {number} tells of the tides and of nothing else.\n")
    growing = threading.Thread(target=own.index.sync, args=[folder])
    growing.start()
    question, answers = "Who built the old mill at Ardal?", []
    while growing.is_alive() or not answers:
        answers.append(together([news.ask(question), own.ask(question)]))
    growing.join()
    assert {a.text for a in answers} == {"Ada Lindqvist"} and len(own.index.documents()) == 201
    assert all(c.verify() and c.folder == str(folder) for a in answers for c in a.citations)


def test_a_reader_of_ones_own_is_read_from_its_folder(seeds: Pipeline, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=rf"{tmp_path.name}.*model\.safetensors"):
        Pipeline.open(ROOT / "seeds", index=seeds.index.folder, reader=tmp_path)
    shutil.copy(WEIGHTS, tmp_path / WEIGHTS.name)
    assert reader_files(tmp_path) == (tmp_path / WEIGHTS.name, CONFIDENCE)
    replace(seeds.confidence, threshold=0.99).save(tmp_path / CONFIDENCE.name)
    own = Pipeline.open(ROOT / "seeds", index=seeds.index.folder, reader=tmp_path)
    asked = "Who asked the CSTO for help?"
    assert own.ask(asked).text is None and seeds.ask(asked).text is not None


@pytest.mark.parametrize(
    ("text", "full", "short"),
    [
        ("Holt", "Mayor Anna Holt", True),
        ("the council", "Anna Holt of the council", True),
        ("Anna Holt", "Anna Holt's brother", False),
        ("Holt", "Holt", False),
        ("2021", "5 May 2021", False),
        ("Marn", "Anna Holt", False),
        ("!", "Anna Holt!", False),
    ],
)
def test_the_end_of_an_answer_is_no_other_answer(text: str, full: str, short: bool) -> None:
    assert short_for(text, full) is short
