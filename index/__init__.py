"""Documents to passages to embeddings to FAISS: finds the passages of a folder of documents that fit a query."""

from index.embedder import DEFAULT_ENCODER, Embedder
from index.errors import BadInput, BadQuestions
