from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.sentences import sentence_at, sentences


def pieces(text):
    return [text[a:b] for a, b in sentences(text)]


@pytest.mark.parametrize(
    "expected",
    [
        ["He came at 5 p.m. Tuesday.", "Then he left."],
        ["It opens at 9 a.m. GMT and closes late.", "Nobody comes."],
        ["Oil rose 5 pct. on the day.", "Gas fell."],
        ["The shop shuts at 5 p.m. and reopens at 7.", "He waited."],
        ['"Is it over?" he asked.', '"No!" she said.', "They left."],
        ["Gen. Lee met Sen. Warren in the U.S. Senate.", "It rained."],
        ["No. 5 is alive.", "It was sold on Jan. 5 for little."],
        ["They met at 5 p.m.", "She left at six."],
        ["loved it.", "it was great!", "would buy again."],
        ["He sold his shares.", "iPhone sales fell."],
    ],
)
def test_news_text_is_cut_where_a_reader_would_cut_it(expected):
    assert pieces(" ".join(expected)) == expected


def test_a_wrapped_line_is_no_end_but_a_blank_line_is():
    assert pieces("The mill was built\nby Ada in 1874. It\nburned down.\n \nwithout a full stop\n\nand so on") == [
        "The mill was built\nby Ada in 1874.",
        "It\nburned down.",
        "without a full stop",
        "and so on",
    ]


def test_list_items_and_paragraphs_of_one_long_line_each_end_at_their_newline():
    long = "A word and " * 20 + "no full stop"
    assert pieces(f"Bring:\n- bread\n- 2 eggs\n1. First\n{long}\nShort line\nwrapped here") == [
        "Bring:",
        "- bread",
        "- 2 eggs",
        "1. First",
        long,
        "Short line\nwrapped here",
    ]


def test_the_sentences_around_a_range_hold_the_range():
    text = "First one. Second one here. Third one.\n\nAnother paragraph. Its end."
    second = text.index("Second")
    assert text[slice(*sentence_at(text, second + 2, second + 5))] == "Second one here."
    assert text[slice(*sentence_at(text, second + 2, text.index("Third") + 1))] == "Second one here. Third one."
    assert text[slice(*sentence_at(text, text.index("Its"), len(text)))] == "Its end."
    assert sentence_at(text, 38, 40) == (38, 40)  # nothing but blanks there
    assert text[slice(*sentence_at(text, 0, len(text)))] == text
    assert sentence_at("", 0, 0) == (0, 0)


ODD = st.text(alphabet=st.sampled_from(list('aB. \n\n"?!-1)\r\t\u2028\ud800é漢😀\x00\x1c')), max_size=80)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(alphabet=st.characters(), max_size=200), ODD))
def test_every_character_that_is_not_blank_is_in_exactly_one_sentence(text):
    ranges = sentences(text)
    covered = [0] * len(text)
    for start, end in ranges:
        assert 0 <= start < end <= len(text)
        assert text[start:end] == text[start:end].strip()
        for at in range(start, end):
            covered[at] += 1
    assert ranges == sorted(ranges)
    assert all(n == 1 if not c.isspace() else n <= 1 for c, n in zip(text, covered, strict=True))


@settings(max_examples=200, deadline=None)
@given(ODD, st.integers(0, 80), st.integers(0, 80))
def test_sentence_at_never_loses_a_part_of_the_range(text, a, b):
    start, end = sorted((min(a, len(text)), min(b, len(text))))
    first, last = sentence_at(text, start, end)
    assert 0 <= first <= start and end <= last <= len(text)


@pytest.mark.parametrize("unit", ["word ", "A sentence. ", "\n", " \n", "5 p.m. ", '"', ".", "- a\n", "x" * 200 + "\n"])
def test_long_texts_take_linear_time(unit):
    text = unit * (1_000_000 // len(unit))
    began = time.perf_counter()
    sentences(text)
    assert time.perf_counter() - began < 5
