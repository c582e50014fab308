"""Lexical search: BM25 by tantivy. Knows ids and texts, nothing of vectors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from index.errors import IndexProblem

_HEAP = 64_000_000
TITLE_BOOST = 0.5

Content = tuple[int, int, str, str, str, str | None]


class LexicalIndex:
    """A tantivy index over texts, titles and headings; it is built whole and never changed."""

    def __init__(self, index: Any) -> None:
        """Take a tantivy index; `build` and `load` make one."""
        self._analyzer = _analyzer()
        index.register_tokenizer("english_words", self._analyzer)
        index.reload()
        self._index = index
        self._searcher = index.searcher()

    @classmethod
    def build(cls, contents: Iterable[Content], folder: Path | None = None) -> LexicalIndex:
        """Index (id, document's id, text, title, heading, date) of passages, in a new folder or in memory."""
        import tantivy

        if folder is not None:
            folder.mkdir(parents=True)
        index = tantivy.Index(_schema(), path=None if folder is None else str(folder))
        index.register_tokenizer("english_words", _analyzer())
        # One thread and one commit: the same contents give the same segments, so the same scores and ties.
        writer = index.writer(heap_size=_HEAP, num_threads=1)
        for number, document, text, title, heading, date in contents:
            above = " ".join(part for part in (title, heading, date) if part)
            writer.add_document(tantivy.Document(id=number, document=document, text=text, above=above))
        writer.commit()
        writer.wait_merging_threads()
        return cls(index)

    @classmethod
    def load(cls, folder: Path) -> LexicalIndex:
        """Open an index that `build` wrote.

        Raises:
            IndexProblem: if the folder is missing, damaged or of another version of tantivy.
        """
        import tantivy

        try:
            return cls(tantivy.Index.open(str(folder)))
        except (ValueError, OSError) as error:
            raise IndexProblem(f"{folder} cannot be read as a tantivy index ({error})") from error

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def search(self, query: str, k: int, documents: Sequence[int] | None = None) -> list[tuple[int, float]]:
        """The `k` best as (id, BM25), best first, ties by id; a word that no text holds matches its near spellings.

        The words are looked up one by one: the query is never parsed, so no character in it has a meaning. Given
        `documents`, only passages of those are found, with the scores that they have among all.
        """
        import tantivy

        clauses = [clause for word in sorted(set(self._analyzer.analyze(query))) for clause in self._clauses(word)]
        k = min(k, len(self))  # tantivy takes memory for all k at once, and ends the process where there is none
        if not clauses or not k:
            return []
        wanted = tantivy.Query.boolean_query(clauses)
        if documents is not None:
            among = tantivy.Query.term_set_query(self._index.schema, "document", list(documents))
            must = tantivy.Occur.Must
            wanted = tantivy.Query.boolean_query([(must, wanted), (must, tantivy.Query.const_score_query(among, 0.0))])
        found = self._searcher.search(wanted, k).hits
        pairs = [(int(self._searcher.doc(address)["id"][0]), float(score)) for score, address in found]
        return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))

    def _clauses(self, word: str) -> list[tuple[Any, Any]]:
        import tantivy

        should, schema = tantivy.Occur.Should, self._index.schema
        if len(word) >= 4 and not any(self._searcher.doc_freq(field, word) for field in ("text", "above")):
            distance = 1 if len(word) < 8 else 2
            return [
                (should, tantivy.Query.fuzzy_term_query(schema, field, word, distance)) for field in ("text", "above")
            ]
        above = tantivy.Query.boost_query(tantivy.Query.term_query(schema, "above", word), TITLE_BOOST)
        return [(should, tantivy.Query.term_query(schema, "text", word)), (should, above)]


def _schema() -> Any:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("id", stored=True)
    builder.add_integer_field("document", stored=False, indexed=True)
    builder.add_text_field("text", stored=False, tokenizer_name="english_words", index_option="freq")
    builder.add_text_field("above", stored=False, tokenizer_name="english_words", index_option="freq")
    return builder.build()


def _analyzer() -> Any:
    import tantivy

    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for one in (
        tantivy.Filter.remove_long(60),
        tantivy.Filter.lowercase(),
        tantivy.Filter.ascii_fold(),
        tantivy.Filter.stopword("english"),
        tantivy.Filter.stemmer("english"),
    ):
        builder = builder.filter(one)
    return builder.build()
