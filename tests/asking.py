"""Run as a process by test_crash_real.py: asks the real models until the file STOP exists, and once more after that.

`python -m tests.asking CORPUS INDEX STOP QUESTION ...` prints one JSON line an answer: when it was asked and given,
the question, the text, whether a citation is stale, whether all citations hold.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from qa import Pipeline


def main() -> None:
    corpus, index, stop, questions = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:]
    pipeline = Pipeline.open(corpus, index=index)
    last = False
    while not last:
        last = stop.exists()
        for question in questions:
            begun = time.time()
            answer = pipeline.ask(question)
            stale, good = any(c.stale for c in answer.citations), all(c.verify() for c in answer.citations)
            print(json.dumps([begun, time.time(), question, answer.text, stale, good]), flush=True)


if __name__ == "__main__":
    main()
