"""Passages to answers with citations: `qa.ask("…")` answers from a folder of documents, in their own words."""

from index import (
    MAX_BYTES,
    SUFFIXES,
    BadCorpus,
    BadInput,
    BadQuery,
    BadQuestions,
    Busy,
    Document,
    Entry,
    IndexProblem,
    QAError,
)
from qa.answer import Alternative, Answer, Citation, Excerpt
from qa.export import conversation_json, conversation_markdown, copy_text
from qa.feedback import feedback_file, keep_feedback
from qa.pipeline import Pipeline, ask
from qa.together import beside, together

__all__ = [
    "MAX_BYTES", "SUFFIXES", "Alternative", "Answer", "BadCorpus", "BadInput", "BadQuery", "BadQuestions", "Busy",
    "Citation", "Document", "Entry", "Excerpt", "IndexProblem", "Pipeline", "QAError", "ask", "beside",
    "conversation_json", "conversation_markdown", "copy_text", "feedback_file", "keep_feedback", "together",
]  # fmt: skip
