"""One question from beginning to end: retrieve, read, decide, cite."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from index import BadCorpus, BadInput, BadQuery, Busy, Hit, Index, Progress, index_folder, open_cluster
from qa.answer import Alternative, Answer, Citation
from qa.candidates import Candidate, Reading, group, joined, rank, short_for
from qa.choice import ToRead, worth_reading
from qa.cite import cite, cite_range, renumbered
from qa.confidence import CONFIDENCE, Confidence, features
from qa.conversation import complete
from qa.reader import WEIGHTS, Reader, ReadPassage
from qa.shape import asks_for_list

PASSAGES = 5
LONGEST_QUESTION = 2000
ALTERNATIVES = 3
ALTERNATIVE_FROM = 0.25
RETRIEVED = 10
FOLLOW_UP_DEPTH = 50
CITED_BONUS = 0.2


@dataclass(frozen=True)
class Examination:
    """An answer and all that led to it; `question` is what was searched for, `readings` of the hits that were read."""

    answer: Answer
    question: str
    hits: tuple[Hit, ...]
    readings: tuple[Reading, ...]
    features: dict[str, float]
    best: Candidate | None


class Pipeline:
    """An index and a reader, ready for many questions; safe to use from several threads."""

    def __init__(self, index: Index, reader: Reader, confidence: Confidence) -> None:
        """Take the parts; `Pipeline.open` loads them."""
        self.index = index
        self.reader = reader
        self.confidence = confidence

    @classmethod
    def open(
        cls,
        corpus: str | Path = "seeds",
        *,
        index: Path | None = None,
        encoder: str | None = None,
        reader: Path | None = None,
        threshold: float | None = None,
        progress: Progress | None = None,
    ) -> Pipeline:
        """Index the folder `corpus`, or bring its index up to date, and load the reader.

        Args:
            corpus: a folder of documents, or `ray://HOST:PORT/NAME`, what a cluster serves (see `index.cluster`).
            index: where the index lies; by default in the user's cache.
            encoder: "light", or a sentence-transformers name or folder; by default the light one where the index was
                made with it, else the packaged one.
            reader: a folder that `qa.train` and `qa.calibrate` wrote; by default the packaged one.
            threshold: the confidence, 0 to 1, below which no answer is given; by default the fitted one.
            progress: is told how far the indexing is.

        Raises:
            BadCorpus: if the folder does not exist or nothing in it can be indexed.
            BadInput: if the folder `reader` holds no weights.
            BadQuery: if the threshold is no probability.
            IndexProblem: if the index cannot be used.
        """
        folder = Path(corpus)
        if threshold is not None and not 0 <= threshold <= 1:
            raise BadQuery(f"the threshold is {threshold}: it must lie between 0 and 1")
        if str(corpus).startswith("ray://"):
            if index or encoder:
                raise BadInput("a cluster has its own index and encoder: give neither of them with ray://")
            from qa.cluster import served_reader  # here, so that who has no cluster loads nothing of it

            weights, fitted = reader_files(reader)
            opened = open_cluster(str(corpus))
            elsewhere = served_reader(str(corpus)) if reader is None else None
            return cls._with_reader(opened, elsewhere, weights, fitted, threshold)
        if not folder.is_dir():
            raise BadCorpus(f"{folder} is no folder: give the folder that holds the documents")
        weights, fitted = reader_files(reader)
        opened = Index.open(index or index_folder(folder), encoder=encoder)
        try:
            opened.sync(folder, progress=progress)
        except Busy:
            if not len(opened):  # else the generation before the one in the making answers
                raise
        if not len(opened):
            reasons = "".join(f"\n  {path}: {reason}" for path, reason in opened.unreadable().items())
            raise BadCorpus(f"{folder} holds no document that can be indexed{reasons}")
        return cls._with_reader(opened, None, weights, fitted, threshold)

    @classmethod
    def _with_reader(
        cls, opened: Index, reader: Reader | None, weights: Path, fitted: Path, threshold: float | None
    ) -> Pipeline:
        confidence = Confidence.load(fitted)
        if threshold is not None:
            confidence = replace(confidence, threshold=threshold)
        return cls(opened, reader or Reader.open(Path(opened.embedder.name), weights), confidence)

    def ask(
        self,
        question: str,
        *,
        k: int = PASSAGES,
        history: Sequence[Answer] = (),
        documents: Collection[str] | None = None,
    ) -> Answer:
        """Answer a question from the documents, or say that they do not.

        Args:
            question: the question, at most `LONGEST_QUESTION` characters.
            k: how many passages are read at most; those that fit far worse than the best one are not.
            history: the answers of the conversation so far, for follow-up questions.
            documents: the paths of the only documents to search.

        Raises:
            BadQuery: if the question is empty or too long, or `k` less than 1.
        """
        return self.examine(question, k=k, history=history, documents=documents).answer

    def examine(
        self,
        question: str,
        *,
        k: int = PASSAGES,
        history: Sequence[Answer] = (),
        documents: Collection[str] | None = None,
    ) -> Examination:
        """As `ask`, with all that led to the answer."""
        if len(question) > LONGEST_QUESTION:
            raise BadQuery(f"the question has {len(question):,} characters: at most {LONGEST_QUESTION:,} are read")
        if k < 1:
            raise BadQuery(f"k is {k}: it must be at least 1")
        question = question.encode("utf-8", "replace").decode()  # half a surrogate pair is no character
        completed = complete(question, history)
        if completed is None or len(completed) > LONGEST_QUESTION:
            return self._examine(question, question, k, documents)
        cited = {c.document for c in history[-1].citations or history[-1].related[:1]}
        raw = self._examine(question, question, k, documents, cited)
        whole = self._examine(question, completed, k, documents, cited)
        return whole if whole.answer.confidence >= raw.answer.confidence else raw

    def _examine(
        self, question: str, searched: str, k: int, documents: Collection[str] | None, cited: Collection[str] = ()
    ) -> Examination:
        """Answer `question`, searching and reading for `searched`, which is what it is understood as.

        A follow-up is more likely to be about the documents `cited` before: their passages rank higher.
        """
        hits = self.index.search(searched, FOLLOW_UP_DEPTH if cited else max(k, RETRIEVED), documents=documents)
        partial: str | None = getattr(hits, "partial", None)  # what a cluster finds may lack some of its shards
        if cited:
            hits = [replace(h, score=h.score + CITED_BONUS) if h.passage.document.path in cited else h for h in hits]
            hits = sorted(hits, key=lambda h: -h.score)[: max(k, RETRIEVED)]
        readings = self._read(searched, worth_reading(hits[:k], CITED_BONUS if cited else 0.0))
        candidates = rank(readings)
        groups = group(joined(candidates) if asks_for_list(searched) else candidates)
        found = features(groups) if groups else {}
        sure = self.confidence.probability(found) if groups else 0.0
        answered = bool(groups) and sure >= self.confidence.threshold
        answer = self._answer(question, groups, sure) if answered else self._none(question, hits[:k], sure)
        if searched != question:
            answer = replace(answer, understood_as=searched)
        if partial:
            answer = replace(answer, partial=partial)
        return Examination(answer, searched, tuple(hits), readings, found, groups[0][0] if groups else None)

    @property
    def _folder(self) -> Path:
        return self.index.corpus or Path()

    def _read(self, question: str, chosen: Sequence[ToRead]) -> tuple[Reading, ...]:
        texts = [ReadPassage(h.passage.document.title, h.passage.document.text[start:end]) for h, start, end in chosen]
        read = self.reader.read_in_turn(question, texts)
        return tuple(
            Reading(h, start, end, tuple(replace(s, start=s.start + start, end=s.end + start) for s in spans))
            for (h, start, end), spans in zip(chosen, read, strict=True)
        )

    def _answer(self, question: str, groups: list[list[Candidate]], sure: float) -> Answer:
        citations = cite(question, groups[0], self._folder, first=1)
        others: list[Alternative] = []
        for at, candidates in enumerate(groups[1 : 1 + ALTERNATIVES], 1):
            if short_for(candidates[0].text, groups[0][0].text):
                continue
            probability = self.confidence.probability(features(groups[at:]))
            if probability >= min(ALTERNATIVE_FROM, self.confidence.threshold):
                cited = cite(question, candidates, self._folder, first=0)
                others.append(Alternative(cited[0].text, cited[0].sentence, probability, cited))
        others.sort(key=lambda a: a.citations[0].date or "", reverse=True)
        first = citations[0]
        return Answer(question, first.text, first.sentence, sure, citations, renumbered(others, len(citations)))

    def _none(self, question: str, hits: Sequence[Hit], sure: float) -> Answer:
        related: list[Citation] = []
        for hit in hits:
            p = hit.passage
            whole = (p.start, p.end)
            related.append(cite_range(p.document, whole, whole, whole, self._folder, number=len(related) + 1))
        return Answer(question, None, None, sure, (), related=tuple(related))


def reader_files(folder: Path | None) -> tuple[Path, Path]:
    """The weights and the fitted confidence in a reader's folder; the packaged confidence where it has none.

    Raises:
        BadInput: if there are no weights in it.
    """
    if folder is None:
        return WEIGHTS, CONFIDENCE
    weights, fitted = folder / WEIGHTS.name, folder / CONFIDENCE.name
    if not weights.is_file():
        raise BadInput(f"{folder} holds no {WEIGHTS.name}: give the folder that python -m qa.train --out wrote")
    return weights, fitted if fitted.is_file() else CONFIDENCE


_pipelines: dict[Path, Pipeline] = {}
_opening = threading.Lock()


def ask(question: str, corpus: str | Path = "seeds", k: int = PASSAGES, history: Sequence[Answer] = ()) -> Answer:
    """Answer a question from a folder of documents, in the documents' own words, or say that they do not answer it.

    The folder is indexed, or its index brought up to date, when it is first asked in this process.

    Raises:
        BadCorpus: if the folder does not exist or nothing in it can be indexed.
        BadQuery: if the question is empty or too long, or `k` less than 1.
    """
    folder = Path(corpus).resolve()
    with _opening:
        if folder not in _pipelines:
            _pipelines[folder] = Pipeline.open(folder)
    return _pipelines[folder].ask(question, k=k, history=history)
