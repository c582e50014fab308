"""Documents to passages to embeddings to FAISS: finds the passages of a folder of documents that fit a query."""

from index.documents import MAX_BYTES, Anchor, Block, Document, file_sha256, read_document
from index.embedder import DEFAULT_ENCODER, Embedder
from index.errors import (
    BadCorpus,
    BadInput,
    BadQuery,
    BadQuestions,
    Busy,
    IndexProblem,
    QAError,
    UnreadableDocument,
    WrongEmbedder,
    WrongVersion,
)
from index.files import SUFFIXES, find_documents
from index.index import Hit, Index
from index.passages import Passage, split
from index.place import index_folder, open_cluster, remove_index
from index.sentences import sentence_at, sentences
from index.store import Entry, IndexedPassage
from index.sync import Progress, SyncReport

__all__ = [
    "DEFAULT_ENCODER", "MAX_BYTES", "SUFFIXES", "Anchor", "BadCorpus", "BadInput", "BadQuery", "BadQuestions", "Block",
    "Busy", "Document", "Embedder", "Entry", "Hit", "Index", "IndexProblem", "IndexedPassage", "Passage", "Progress",
    "QAError", "SyncReport", "UnreadableDocument", "WrongEmbedder", "WrongVersion", "file_sha256",
    "find_documents", "index_folder", "open_cluster", "read_document", "remove_index", "sentence_at", "sentences",
    "split",
]  # fmt: skip
