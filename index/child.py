"""The process that reads files for `index.bounded`, until its input ends: `index.child CPU_SECONDS MEMORY_BYTES`."""

from __future__ import annotations

import json
import os
import signal
import sys

from index.bounded import packed, receive, send
from index.documents import content_of
from index.errors import UnreadableDocument

if sys.platform != "win32":
    import resource


def main(seconds: int, memory: int) -> None:
    """Read files and say what is in them, or why that cannot be said; None stands for too little memory."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one decides
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    _bound_memory(memory)
    send(answers, b"ready")
    while True:
        try:
            suffix, data = receive(requests).decode(), receive(requests)
        except EOFError:
            return
        _bound_time(seconds)
        try:
            answer = packed(content_of(data, suffix))
        except UnreadableDocument as refusal:
            answer = json.dumps({"refused": refusal.reason}).encode()
        except (MemoryError, RecursionError):
            answer = json.dumps({"refused": None}).encode()
        send(answers, answer)
        del data, answer


def _bound_memory(memory: int) -> None:
    if sys.platform != "win32":
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        most = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it has nothing to write


def _bound_time(seconds: int) -> None:
    """From now on so many seconds of the processor more."""
    if sys.platform != "win32":
        used = resource.getrusage(resource.RUSAGE_SELF)
        soft = int(used.ru_utime + used.ru_stime) + 1 + seconds
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
