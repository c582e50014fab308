"""What can go wrong, as one tree:

QAError
├── BadInput (ValueError)      the caller can put it right; the message names the value and the remedy
│   ├── BadCorpus                a folder that is none, or holds nothing to index
│   ├── BadQuery                 an empty question, a k that is no positive number
│   └── BadQuestions             a file of questions that cannot be read
├── UnreadableDocument         one file of the corpus; `sync` reports it and goes on
└── IndexProblem               the index on disk
    ├── WrongEmbedder            it was made with another encoder
    ├── WrongVersion             it was made by another version of this program
    └── Busy                     another process is bringing it up to date
"""

from __future__ import annotations


class QAError(Exception):
    """Base of all errors that this project raises on purpose."""


class BadInput(QAError, ValueError):
    """Something the caller gave cannot be used."""


class BadCorpus(BadInput):
    """The corpus folder does not exist, is no folder, or holds nothing that can be indexed."""


class BadQuery(BadInput):
    """The question or its settings cannot be used."""


class BadQuestions(BadInput):
    """A file of questions cannot be read."""


class UnreadableDocument(QAError):
    """One file cannot be read; `reason` says why, in words for people."""

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        super().__init__(reason)
        self.reason = reason


class IndexProblem(QAError):
    """The index on disk cannot be used as it is."""


class WrongEmbedder(IndexProblem):
    """The index holds vectors of another encoder."""


class WrongVersion(IndexProblem):
    """The index was made by another version of this program."""


class Busy(IndexProblem):
    """Another process is writing to the index."""
