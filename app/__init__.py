"""The chat in the browser: renders what `qa` answers. Knows nothing of indexes or models."""
