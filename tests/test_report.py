"""The page of the evaluation, made of outcomes small enough to class by hand. No model is needed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from index import Document, Hit, Index, IndexedPassage, SyncReport
from qa.answer import Answer
from qa.bootstrap import interval, intervals_of, mean_interval, stages
from qa.candidates import Candidate
from qa.confidence import Confidence
from qa.evaluate import main
from qa.metrics import ece
from qa.outcomes import Outcome, figures_of
from qa.pipeline import Examination
from qa.plots import reliability_bins, risk_coverage
from qa.questions import Question
from qa.report import MISSES, Place, marked, miss, report
from tests.conftest import ROOT, LetterEmbedder
from tests.test_app_fakes import document

DAM = document("dam.txt", "Dam news\nThe dam at Kestrel was closed on Monday by Ilse Brandt.\nIt has seven gates.")
FERRY = document("ferry.txt", "Ferry news\nThe ferry was stopped on Friday by Ruth Okafor.\nNothing sailed.")
EVIL = document(
    "<b>evil</b>.txt",
    "<script>alert(1)</script>\nThe code is <img src='http://example.com/x' onerror=alert(2)> \u202ered & all.",
)
BY_PATH = {d.path: d for d in (DAM, FERRY, EVIL)}
CONFIDENCE = Confidence({}, 0.0, threshold=0.5, null_margin=0.0)


class FakeIndex:
    """Finds the same hits for every query, by words in the other order."""

    def __init__(self, hits: Sequence[Hit]) -> None:
        self.hits = list(hits)

    def document(self, path: str) -> Document:
        return BY_PATH[path]

    def rankings(self, query: str, k: int = 10) -> tuple[list[Hit], list[Hit]]:
        return self.hits[:k], self.hits[::-1][:k]


def hits_of(*documents: Document) -> tuple[Hit, ...]:
    """A hit for each paragraph."""
    blocks = [(d, b) for d in documents for b in d.blocks if b.kind == "paragraph"]
    return tuple(
        Hit(IndexedPassage(n, d, n, b.start, b.end, None), 1 / n, n, None) for n, (d, b) in enumerate(blocks, 1)
    )


HITS = hits_of(DAM, FERRY, EVIL)
INDEX = FakeIndex(HITS)


def outcome(
    gold: Sequence[str],
    best: tuple[Document, str] | None,
    *,
    given: bool = True,
    sure: float = 0.8,
    hits: Sequence[Hit] = HITS,
    question: str = "Who?",
    where: str | None = None,
) -> Outcome:
    """What became of a question whose best span is the first place of these words in this document."""
    candidate = None
    if best is not None:
        start = best[0].text.index(best[1])
        block = next(b for b in best[0].blocks if b.start <= start < b.end)
        candidate = Candidate(best[0], block, start, start + len(best[1]), 1.0, hits[0])
    text = best[1] if best is not None and given else None
    asked = Question(question, tuple(gold), where)
    held = [n for n, h in enumerate(hits, 1) if any(g in h.passage.text for g in gold)]
    answer = Answer(question, text, text, sure, ())
    examination = Examination(answer, question, tuple(hits), (), {}, candidate)
    gold_text, margin = (gold[0], 1.0) if gold else ("seven", -1.0)
    return Outcome(asked, examination, min(held, default=None), gold_text, margin, 0.02)


CASES = {
    None: outcome(["Ilse Brandt"], (DAM, "Ilse Brandt")),
    "not retrieved": outcome(["Ruth Okafor"], (DAM, "Monday"), hits=hits_of(DAM), where="ferry.txt"),
    "retrieved, not read": outcome(["Ruth Okafor"], (DAM, "Monday")),
    "wrong span": outcome(["Ilse Brandt"], (DAM, "Monday")),
    "wrongly abstained": outcome(["Ilse Brandt"], (DAM, "Ilse Brandt"), given=False, sure=0.3),
    "should have abstained": outcome([], (FERRY, "Friday")),
}


@pytest.mark.parametrize("name", [None, *MISSES], ids=str)
def test_a_miss_is_classed_by_the_first_stage_that_failed(name: str | None) -> None:
    assert miss(CASES[name], 5) == name


def test_what_was_retrieved_but_below_the_k_that_were_read_counts_as_not_retrieved() -> None:
    wrong = outcome(["Ruth Okafor"], (DAM, "Monday"))
    assert wrong.rank == 3
    assert (miss(wrong, 3), miss(wrong, 2)) == ("retrieved, not read", "not retrieved")


def test_silence_is_right_where_there_is_no_answer_and_else_no_wrong_abstention_unless_the_span_was_right() -> None:
    assert miss(outcome([], (DAM, "Monday"), given=False), 5) is None
    assert miss(outcome([], None), 5) is None
    assert miss(outcome(["Ilse Brandt"], (DAM, "Monday"), given=False), 5) == "wrong span"
    assert miss(outcome(["Ilse Brandt"], (FERRY, "Friday"), given=False), 5) == "retrieved, not read"
    assert miss(outcome(["Ilse Brandt"], None), 5) == "retrieved, not read"
    assert miss(outcome(["Ilse Brandt"], None, hits=()), 5) == "not retrieved"


def test_the_same_words_in_another_document_are_no_gold_passage() -> None:
    wrong = outcome(["on Friday"], (DAM, "Monday"), where="dam.txt")
    assert miss(wrong, 5) == "not retrieved"


def test_intervals_hold_the_figure_and_shrink_with_more_questions() -> None:
    few, many = [mean_interval([1.0, 0.0, 1.0, 1.0] * n) for n in (5, 500)]
    assert few.figure == many.figure == 0.75
    assert few.low < many.low < 0.75 < many.high < few.high
    assert few == mean_interval([1.0, 0.0, 1.0, 1.0] * 5), "the same questions give the same interval"
    assert many.high - many.low == pytest.approx(2 * 1.96 * (0.75 * 0.25 / 2000) ** 0.5, rel=0.1), "as the normal one"


def test_resamples_without_the_figure_do_not_count_and_questions_are_needed() -> None:
    def first(at: np.ndarray) -> float:
        return float(at.min()) if 0 in at else float("nan")

    assert interval(first, 3).low == interval(first, 3).high == 0.0
    with pytest.raises(ValueError, match="got 0"):
        mean_interval([])


def test_an_interval_is_widened_to_a_figure_that_resampling_shifts() -> None:
    sure, right = np.linspace(0.05, 0.95, 40), np.tile([1.0, 0.0], 20)
    found = interval(lambda at: ece(sure[at].tolist(), right[at].tolist()), 40)
    assert found.low <= found.figure <= found.high


def several() -> list[Outcome]:
    surenesses = np.linspace(0.15, 0.95, len(CASES) * 4)
    return [
        replace(o, examination=replace(o.examination, answer=replace(o.examination.answer, confidence=float(sure))))
        for o, sure in zip(list(CASES.values()) * 4, surenesses, strict=True)
    ]


@pytest.mark.parametrize("left_out", [(), ("should have abstained",)], ids=["with unanswerable", "answerable only"])
def test_the_intervals_are_those_of_the_evaluations_own_figures(left_out: tuple[str, ...]) -> None:
    outcomes = [o for o in several() if miss(o, 5) not in left_out]
    figures = figures_of(outcomes, SYNCED, null_margin=0.5)
    found = intervals_of(outcomes, null_margin=0.5)
    assert set(found) == {"retrieval", "reader", "answers", "calibration"} | ({"no_answer"} if not left_out else set())
    for group, parts in found.items():
        assert set(parts) == set(figures[group])
        for name, part in parts.items():
            assert part.figure == pytest.approx(figures[group][name]), f"{group} {name}"
            assert part.low <= part.figure <= part.high


def test_each_stage_is_measured_by_its_own_ranking() -> None:
    outcomes = [CASES[None], CASES["retrieved, not read"], CASES["should have abstained"]]
    rows = {(stage, figure): found.figure for stage, figure, found in stages(outcomes, INDEX)}
    assert [hit.passage.text[:9] for hit in HITS] == ["The dam a", "It has se", "The ferry", "Nothing s", "The code "]
    assert rows["dense", "mrr@10"] == rows["fused", "mrr@10"] == pytest.approx((1 + 1 / 3) / 2)
    assert rows["lexical", "mrr@10"] == pytest.approx((1 / 5 + 1 / 3) / 2)
    assert rows["read", "best span right"] == rows["decided", "right and given"] == 0.5


def test_both_rankings_are_those_that_search_fuses(tmp_path: Path, letters: LetterEmbedder) -> None:
    (tmp_path / "corpus").mkdir()
    for path, text in {"dam.txt": DAM.text, "ferry.txt": FERRY.text}.items():
        (tmp_path / "corpus" / path).write_text(text)
    index = Index(tmp_path / "index", letters)
    index.sync(tmp_path / "corpus")
    dense, lexical = index.rankings("the dam gates", 10)
    fused = {h.passage.id: h for h in index.search("the dam gates", 10)}
    assert [h.dense_rank for h in dense] == list(range(1, len(dense) + 1))
    assert [h.lexical_rank for h in lexical] == list(range(1, len(lexical) + 1))
    assert all(fused[h.passage.id] == h for h in (*dense, *lexical))
    assert index.rankings("the dam gates", 1) == (dense[:1], lexical[:1])


def test_the_bins_are_those_of_the_calibration_error() -> None:
    sure, right = [0.05, 0.12, 0.18, 0.7, 1.0], [False, False, True, True, True]
    bins = reliability_bins(sure, right)
    assert [count for _, _, count in bins] == [1, 2, 1, 1]
    assert bins[1][:2] == (pytest.approx(0.15), 0.5)
    assert sum(n * abs(mean - share) for mean, share, n in bins) / 5 == pytest.approx(
        ece(sure, [float(r) for r in right])
    )


def test_risk_is_the_share_of_wrong_ones_among_the_surest_equal_ones_taken_together() -> None:
    points = risk_coverage([0.9, 0.5, 0.5, 0.1], [True, True, False, False])
    assert points == [(0.9, 0.25, 0.0), (0.5, 0.75, pytest.approx(1 / 3)), (0.1, 1.0, 0.5)]


SYNCED = SyncReport(
    added=(), changed=(), removed=(), renamed=(), unreadable=(), documents=3, passages=5, embedded=5, seconds=0.1
)
VOID = {"meta", "br", "link", "img", "input", "hr", "path", "use"}


class Checker(HTMLParser):
    """Holds that what is opened is closed, and gathers tags, ids, links and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)

    def _note(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            assert not name.startswith("on"), f"<{tag} {name}>"
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "action", "data"):
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(outcomes: Sequence[Outcome], *, curve: Sequence[int] = ()) -> str:
    figures = figures_of(outcomes, SYNCED, null_margin=0.0)
    return report("q.jsonl", outcomes, figures, INDEX, CONFIDENCE, k=5, curve=[(k, outcomes) for k in curve])


@pytest.fixture(scope="module")
def page() -> str:
    return page_of(several(), curve=[1, 3, 5])


def test_the_page_is_well_formed_and_its_links_lead_somewhere_in_it(page: str) -> None:
    checked = Checker(page)
    assert len(checked.ids) == len(set(checked.ids))
    assert {link.removeprefix("#") for link in checked.links} <= set(checked.ids)
    assert {f"passage-{n}" for n in range(1, 6)} <= {link[1:] for link in checked.links}
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(checked.ids)


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(page: str) -> None:
    assert "http:" not in page and "https:" not in page and "@import" not in page
    assert Checker(page).tags.keys() & {"script", "link", "img", "iframe", "object", "embed"} == set()
    assert "default-src 'none'" in page


@pytest.mark.parametrize("plot", ["reliability", "risk", "curve"])
def test_each_plot_is_in_the_page(page: str, plot: str) -> None:
    assert page.count(f'<svg id="{plot}" role="img" aria-label=') == 1
    assert page_of([CASES[None]]).count(f'<svg id="{plot}"') == (plot != "curve"), "that one only if asked for"


def test_every_figure_is_shown_with_its_interval(page: str) -> None:
    found = intervals_of(several(), null_margin=0.0)["answers"]["f1"]
    assert f"<td>f1</td><td>{found.figure:.3f}</td><td>{found.low:.3f} – {found.high:.3f}</td>" in page
    for stage in ("dense", "lexical", "fused", "read", "decided"):
        assert f'<th scope="row">{stage}</th>' in page


def test_every_miss_is_counted_and_listed_in_its_class(page: str) -> None:
    sections = re.split(r'<h3 id="', page)[1:]
    assert [s.split('"')[0] for s in sections] == [re.sub(r"\W+", "-", name) for name in MISSES]
    for section in sections:
        assert " (4)</h3>" in section
        assert section.count('<p class="question"') == 4
    assert "no answer, the best span being <q>Ilse Brandt</q>" in page
    assert "none: the documents do not say" in page


def test_the_passages_are_shown_with_the_words_marked(page: str) -> None:
    assert "The dam at Kestrel was closed on <mark>Monday</mark> by Ilse Brandt." in page
    assert 'stopped on Friday by <mark class="gold">Ruth Okafor</mark>.' in page, "even if it was not retrieved"


def test_marks_are_made_by_offsets_not_by_looking_for_the_words() -> None:
    place = Place("a.txt", "A", 100, 110, "no <no> no", ((108, 110),), gold=False)
    assert marked(place) == "no &lt;no&gt; <mark>no</mark>"


def test_hostile_text_is_shown_as_text() -> None:
    words = "<img src='http://example.com/x' onerror=alert(2)> \u202ered"
    evil = outcome([words], (EVIL, "The code"), question="<script>alert(3)</script>\x1b")
    evil = replace(
        evil, examination=replace(evil.examination, answer=replace(evil.examination.answer, understood_as="<iframe>"))
    )
    checked = Checker(page_of([evil, CASES["should have abstained"]]))
    assert checked.tags.keys() & {"script", "img", "iframe", "b"} == set()
    for shown in ("<script>alert(3)</script>\\x1b", "<b>evil</b>.txt", "onerror=alert(2)> \\x202ered", "<iframe>"):
        assert shown in checked.text
    assert "\u202e" not in checked.text and not any("http" in link for link in checked.links)


@pytest.mark.parametrize("name", ["wrong span", "should have abstained", None], ids=str)
def test_questions_of_one_kind_alone_make_a_page(name: str | None) -> None:
    checked = Checker(page_of([CASES[name]], curve=[1]))
    assert ("What each stage adds" in checked.text) == (name != "should have abstained")


def test_a_missing_matplotlib_is_one_line_that_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys, importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'matplotlib' else find(name, *rest)\n"
        "from qa.evaluate import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "no-such-file", "--report", str(tmp_path / "out.html")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == 'qa.evaluate: --report needs matplotlib: pip install "extractive-qa[report]"\n'


def test_what_a_report_lacks_is_said_before_any_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-such-file", "--curve", "1,2"]) == 2
    assert "--report OUT.html" in capsys.readouterr().err
    assert main(["no-such-file", "--report", str(tmp_path / "none" / "out.html")]) == 2
    assert "is no folder" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["no-such-file", "--curve", "0,x"])
    assert "--curve" in capsys.readouterr().err
