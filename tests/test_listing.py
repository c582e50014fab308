"""The list of documents, and what a question is limited to."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.listing import EVERY_OWN, MOST_CHOICES, OWN, choices, chosen, listing
from qa import BadQuery, Entry

ENTRIES = [
    Entry("a.txt", "0", "A", "2031-03-04", 2),
    Entry("news/b.txt", "1", "B", "2031-04-01", 1),
    Entry("news/old/c.txt", "2", "C", None, 3),
    Entry("newspaper/d.txt", "3", "D", "2030-12-31", 1),
]
MINE = [Entry("m.pdf", "4", "M", None, 1), Entry("n.pdf", "5", "N", "2031-03-05", 1)]


def paths(*places: str, since: str = "", until: str = "") -> tuple[list[str] | None, list[str] | None]:
    corpus, own = chosen(ENTRIES, MINE, places, since, until)
    return None if corpus is None else sorted(corpus), None if own is None else sorted(own)


def test_the_choices_are_added_files_folders_and_documents() -> None:
    assert choices(ENTRIES, []) == ["news/", "news/old/", "newspaper/", *(e.path for e in ENTRIES)]
    assert choices(ENTRIES, ["m.pdf"])[:3] == [EVERY_OWN, OWN + "m.pdf", "news/"]


def test_nothing_chosen_is_everything() -> None:
    assert paths() == (None, None)
    assert paths(since=" ", until="") == (None, None)


def test_documents_folders_and_added_files_are_chosen() -> None:
    assert paths("a.txt") == (["a.txt"], [])
    assert paths("news/") == (["news/b.txt", "news/old/c.txt"], [])
    assert paths("news/old/", "a.txt", OWN + "m.pdf") == (["a.txt", "news/old/c.txt"], ["m.pdf"])
    assert paths(EVERY_OWN) == ([], ["m.pdf", "n.pdf"])


def test_dates_bound_both_ends_and_leave_out_what_has_none() -> None:
    assert paths(since="2031-03-04") == (["a.txt", "news/b.txt"], ["n.pdf"])
    assert paths(until="2031-03-04") == (["a.txt", "newspaper/d.txt"], [])
    assert paths(since="2031", until="2031-03") == (["a.txt"], ["n.pdf"])
    assert paths("news/", since="2031") == (["news/b.txt"], [])


@pytest.mark.parametrize("date", ["yesterday", "2031-3-4", "04.03.2031", "2031-03-04x"])
def test_what_is_no_date_is_refused(date: str) -> None:
    with pytest.raises(BadQuery, match="2031-03-04"):
        paths(until=date)


def test_when_nothing_is_left_it_is_said() -> None:
    with pytest.raises(BadQuery, match="no document fits"):
        paths("a.txt", since="2032")


def test_the_list_tells_counts_reasons_and_when_and_escapes_all() -> None:
    bad = "<script>alert(1)</script>\u202e"
    shown = listing(
        [Entry(bad, "0", bad, None, 1)], {bad: bad}, datetime(2031, 3, 4, 5, 6, tzinfo=UTC), [bad], status=bad,
        refused={bad: bad},
    )  # fmt: skip
    assert "<script" not in shown and "\u202e" not in shown and shown.count("&lt;script&gt;") == 9
    assert "1 document, 1 passage; last looked at 2031-03-04 05:06 UTC" in shown
    assert "Could not be read (1)" in shown and "Not added (1)" in shown and 'data-file="0"' in shown


def test_of_very_many_documents_some_are_listed_at_a_time() -> None:
    shown = listing([Entry(f"{n}.txt", "0", "T", None, 1) for n in range(5000)], {}, None)
    assert "5,000 documents" in shown and shown.count("<li>") == 100 and "1 to 100" in shown
    assert 'data-first="0" disabled>Previous' in shown and 'data-first="100">Next' in shown
    last = listing([Entry(f"{n}.txt", "0", f"T{n}.", None, 1) for n in range(250)], {}, None, first=200)
    assert "201 to 250" in last and "T200." in last and "T199." not in last and 'data-first="300" disabled' in last
    assert "steps" not in listing(ENTRIES, {}, None)


def test_of_very_many_documents_the_folders_are_offered_and_the_first_documents() -> None:
    offered = choices([Entry(f"{n % 3}/{n}.txt", "0", "T", None, 1) for n in range(MOST_CHOICES)], ["m.pdf"])
    assert offered[:6] == [EVERY_OWN, OWN + "m.pdf", "0/", "1/", "2/", "0/0.txt"] and len(offered) == MOST_CHOICES + 2
