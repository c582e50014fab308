from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import IndexProblem
from index.lexical import LexicalIndex

CONTENTS = [
    (1, 101, "The dam above Kestrel Valley was closed on Monday.", "Dam closed", "", None),
    (2, 102, "Ferries stayed in port as the strikes went on.", "Ferry strike", "", "2031-03-04"),
    (3, 102, "President Lukashenko spoke of the airport.", "A speech", "What happened?", None),
]


WORDS = ["alpha", "beta", "gamma", "delta"]


@pytest.fixture(scope="module")
def index() -> LexicalIndex:
    return LexicalIndex.build(CONTENTS)


def first(index: LexicalIndex, query: str) -> int | None:
    found = index.search(query, 3)
    return found[0][0] if found else None


def test_words_match_in_other_forms(index: LexicalIndex) -> None:
    assert first(index, "closing dams") == 1
    assert first(index, "striking ferry") == 2


def test_title_heading_and_date_match_as_well(index: LexicalIndex) -> None:
    assert first(index, "speech") == 3
    assert first(index, "2031") == 2


def test_a_misspelt_name_matches_its_near_spelling(index: LexicalIndex) -> None:
    assert first(index, "Lukashenka") == 3
    assert first(index, "Kestral") == 1


def test_words_that_stand_nowhere_and_stop_words_find_nothing(index: LexicalIndex) -> None:
    assert index.search("xylophone", 3) == []
    assert index.search("the of and", 3) == []


def test_more_matching_words_rank_higher_and_ties_go_by_id() -> None:
    index = LexicalIndex.build(
        [(n, 1, text, "", "", None) for n, text in ((9, "alpha beta"), (4, "alpha gamma"), (2, "alpha gamma"))]
    )
    assert [number for number, _ in index.search("alpha beta", 3)] == [9, 2, 4]


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(st.text(max_size=80), st.sampled_from(["dam AND (", 'text:"', "dam~2^", "[a TO b]", "*", "\\", "id:1"]))
)
def test_no_query_is_an_error(query: str) -> None:
    assert len(LexicalIndex.build(CONTENTS[:1]).search(query, 2)) <= 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 6), st.lists(st.sampled_from(WORDS), min_size=1, max_size=6)), max_size=25),
    st.sets(st.integers(1, 7)),
    st.lists(st.sampled_from([*WORDS, "alphaa", "nothing"]), min_size=1, max_size=3),
)
def test_among_some_documents_the_ranking_is_that_of_all_without_the_others(
    texts: list[tuple[int, list[str]]], chosen: set[int], query: list[str]
) -> None:
    index = LexicalIndex.build([(n, d, " ".join(words), "", "", None) for n, (d, words) in enumerate(texts)])
    full = [(n, s) for n, s in index.search(" ".join(query), 99) if texts[n][0] in chosen]
    found = index.search(" ".join(query), 99, sorted(chosen))
    assert dict(found) == pytest.approx(dict(full), rel=1e-5) and [n for n, _ in found] == [n for n, _ in full]


def test_more_can_be_asked_for_than_there_is(index: LexicalIndex) -> None:
    assert len(index.search("dam ferries airport", 10**15)) == 3
    assert LexicalIndex.build([]).search("dam", 3) == []


def test_an_index_comes_back_from_disk(tmp_path: Path, index: LexicalIndex) -> None:
    LexicalIndex.build(CONTENTS, tmp_path / "l")
    again = LexicalIndex.load(tmp_path / "l")
    assert len(again) == 3
    assert again.search("airport dam", 3) == index.search("airport dam", 3)


def test_a_missing_or_damaged_folder_is_an_index_problem(tmp_path: Path) -> None:
    with pytest.raises(IndexProblem):
        LexicalIndex.load(tmp_path / "none")
    LexicalIndex.build(CONTENTS, tmp_path / "l")
    (tmp_path / "l" / "meta.json").write_text("{")
    with pytest.raises(IndexProblem):
        LexicalIndex.load(tmp_path / "l")
