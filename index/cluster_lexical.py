"""BM25 with the statistics of a whole corpus over a shard that holds a part of it. Knows nothing of Ray or vectors.

tantivy weighs a word by how many passages of its own index hold it, and a passage by that index's average length. Here
the words' weights are those of the whole corpus, by boosts; and as a boost can't change the average length, what
tantivy finds is scored again, and followed so deep that nothing it ranked lower can belong to the best.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np

from index.lexical import TITLE_BOOST, Content, LexicalIndex

FIELDS = ("text", "above")
_K1, _B = 1.2, 0.75
MOST = 2000
"""How many passages of a shard are scored again for one query, unless more are asked for."""
_ROUNDING = 1 + 1e-5
"""tantivy counts in single precision: a bound on its scores allows for that."""


@dataclass(frozen=True)
class Statistics:
    """What BM25 has to know of a corpus: how many passages it has, and for each of `FIELDS` how many words.

    `frequencies` holds, by word, how many passages have it in each field.
    """

    passages: int
    words: tuple[int, int]
    frequencies: Mapping[str, tuple[int, int]]

    @staticmethod
    def total(parts: Iterable[Statistics]) -> Statistics:
        """The statistics of the corpus that the parts are shards of; their frequencies are of the same words."""
        passages, words, frequencies = 0, (0, 0), dict[str, tuple[int, int]]()
        for part in parts:
            passages += part.passages
            words = (words[0] + part.words[0], words[1] + part.words[1])
            for word, (text, above) in part.frequencies.items():
                before = frequencies.get(word, (0, 0))
                frequencies[word] = (before[0] + text, before[1] + above)
        return Statistics(passages, words, frequencies)

    def weight(self, word: str, field: int) -> float:
        """What one passage that holds the word in that field can at most get for it: idf times k1 + 1."""
        count = self.frequencies.get(word, (0, 0))[field]
        boost = TITLE_BOOST if field else 1.0
        return boost * log(1 + (self.passages - count + 0.5) / (count + 0.5)) * (_K1 + 1)

    def average(self, field: int) -> float:
        """Words a passage has in that field."""
        return self.words[field] / self.passages if self.passages else 0.0


class SharedLexical(LexicalIndex):
    """The lexical index of one shard, which ranks as an index over all shards would."""

    @classmethod
    def over(cls, lexical: LexicalIndex) -> SharedLexical:
        """The same index, to be searched with the statistics of others."""
        return cls(lexical._index)

    def words(self, query: str) -> list[str]:
        """The different words of a query as they are looked up, sorted."""
        return sorted(set(self._analyzer.analyze(query)))

    def frequencies(self, words: Iterable[str]) -> dict[str, tuple[int, int]]:
        """For each word how many passages have it in each of `FIELDS`."""
        return {w: (self._searcher.doc_freq(FIELDS[0], w), self._searcher.doc_freq(FIELDS[1], w)) for w in words}

    def count(self, contents: Iterable[Content]) -> tuple[int, int]:
        """How many words the passages have in each of `FIELDS`."""
        text = above = 0
        for content in contents:
            fields = _fields(content)
            text, above = text + len(self._analyzer.analyze(fields[0])), above + len(self._analyzer.analyze(fields[1]))
        return text, above

    def best(
        self,
        everywhere: Statistics,
        here: Statistics,
        k: int,
        contents: Callable[[Sequence[int]], Sequence[Content]],
        documents: Sequence[int] | None = None,
    ) -> list[tuple[int, float]]:
        """The `k` best of this shard as (id, BM25 in the whole corpus), best first, ties in the order of `contents`.

        Source: Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework", section 3.4, with tantivy's
        constants and its lengths of four significant bits. That no better passage is missed: with the weights equal, a
        passage's score here and in the corpus differ by at most the ratio of the average lengths. Only where over
        `MOST` passages come that close to the best is one of them perhaps not counted.

        Args:
            everywhere: the statistics of the whole corpus; its frequencies name the words that are looked for.
            here: those of this shard, of the same words.
            k: how many.
            contents: gives the contents of passages by their ids, in the order in which they were indexed.
            documents: ids of the only documents to search.
        """
        near = {w: _near(w) for w, counts in everywhere.frequencies.items() if len(w) >= 4 and not any(counts)}
        clauses = [c for word in everywhere.frequencies for c in self._weighted(word, near.get(word), everywhere, here)]
        if not clauses or not len(self) or k < 1:
            return []
        lengths = [(everywhere.average(f), here.average(f)) for f in (0, 1)]
        slack = max([1.0, *(all_ / own for all_, own in lengths if own)]) * _ROUNDING
        query, depth = self._among(clauses, documents), 2 * k
        while True:
            depth = min(depth, len(self))
            found = self._searcher.search(query, depth).hits
            numbers = [int(self._searcher.doc(address)["id"][0]) for _, address in found]
            scores = self._scores(everywhere, near, contents(numbers))
            ranked = sorted(scores.items(), key=lambda pair: -pair[1])[:k]
            all_seen = len(found) < depth or depth == len(self) or depth >= max(MOST, k)
            if all_seen or (len(ranked) == k and float(found[-1][0]) * slack < ranked[-1][1]):
                return ranked
            depth *= 2

    def _weighted(self, word: str, near: int | None, everywhere: Statistics, here: Statistics) -> list[tuple[Any, Any]]:
        """The clauses of a word, in each field with its weight in the whole corpus."""
        import tantivy

        should, schema, clauses = tantivy.Occur.Should, self._index.schema, []
        for number, field in enumerate(FIELDS):
            if near is not None:
                clauses.append((should, tantivy.Query.fuzzy_term_query(schema, field, word, near)))
            elif here.frequencies[word][number]:
                boost = everywhere.weight(word, number) / here.weight(word, number) * (TITLE_BOOST if number else 1.0)
                clauses.append(
                    (should, tantivy.Query.boost_query(tantivy.Query.term_query(schema, field, word), boost))
                )
        return clauses

    def _among(self, clauses: list[tuple[Any, Any]], documents: Sequence[int] | None) -> Any:
        import tantivy

        wanted = tantivy.Query.boolean_query(clauses)
        if documents is None:
            return wanted
        among = tantivy.Query.term_set_query(self._index.schema, "document", list(documents))
        must = tantivy.Occur.Must
        return tantivy.Query.boolean_query([(must, wanted), (must, tantivy.Query.const_score_query(among, 0.0))])

    def _scores(self, everywhere: Statistics, near: Mapping[str, int], contents: Sequence[Content]) -> dict[int, float]:
        """BM25 of each content by its id, in single precision as tantivy counts."""
        scores = {content[0]: np.float32(0) for content in contents}
        for field in (0, 1):
            average = np.float32(everywhere.average(field))
            exact = {w: np.float32(everywhere.weight(w, field)) for w in everywhere.frequencies if w not in near}
            for content in contents:
                words = self._analyzer.analyze(_fields(content)[field])
                length = np.float32(_rounded(len(words)))
                norm = np.float32(_K1) * (np.float32(1 - _B) + np.float32(_B) * length / (average or np.float32(1)))
                for word, weight in exact.items():
                    if count := words.count(word):
                        scores[content[0]] += weight * (np.float32(count) / (np.float32(count) + norm))
                for word, distance in near.items():
                    scores[content[0]] += np.float32(any(_within(word, other, distance) for other in set(words)))
        return {number: float(score) for number, score in scores.items()}


def _fields(content: Content) -> tuple[str, str]:
    """A passage's words field by field, as `LexicalIndex.build` indexes them."""
    _, _, text, title, heading, date = content
    return text, " ".join(part for part in (title, heading, date) if part)


def _near(word: str) -> int:
    """How many letters may differ in a word that stands nowhere, as in `LexicalIndex.search`."""
    return 1 if len(word) < 8 else 2


def _rounded(length: int) -> int:
    """A length as tantivy keeps it in one byte: exact below 40, then with four significant bits above 24."""
    beyond = length - 24
    if beyond < 16:
        return length
    shift = beyond.bit_length() - 4
    return 24 + (beyond >> shift << shift)


def _within(a: str, b: str, distance: int) -> bool:
    """Whether at most so many letters must be put in, left out, changed or swapped with their neighbour to get b of a.

    Source: optimal string alignment (Boytsov 2011, "Indexing methods for approximate dictionary searching").
    """
    if abs(len(a) - len(b)) > distance:
        return False
    before, last = list[int](), list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            row.append(min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y)))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                row[j] = min(row[j], before[j - 2] + 1)
        before, last = last, row
    return last[-1] <= distance
