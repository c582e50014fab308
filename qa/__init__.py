"""Passages to answers with citations: `qa.ask("…")` answers from a folder of documents, in their own words."""

from index import BadCorpus, BadInput, BadQuery, BadQuestions, Busy, Document, IndexProblem, QAError
from qa.answer import Alternative, Answer, Citation, Excerpt
from qa.pipeline import Pipeline, ask

__all__ = [
    "Alternative", "Answer", "BadCorpus", "BadInput", "BadQuery", "BadQuestions", "Busy", "Citation", "Document",
    "Excerpt", "IndexProblem", "Pipeline", "QAError", "ask",
]  # fmt: skip
