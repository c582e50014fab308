"""Measures how long a cold start of the chat takes, as a person sees it: `python tests/app_start.py [TIMES]`.

Each time a new process over an index that is there (the files are in the system's cache), then a new browser.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from app_process import CHROMIUM, CHROMIUM_OPTIONS, ROOT, ask, block_others, free_port, running
from playwright.sync_api import sync_playwright

FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000"


def measure(folder: Path) -> dict[str, float]:
    """One start, in seconds; and what the server then holds in memory, in megabytes."""
    found, begun = {}, time.perf_counter()
    with running(ROOT / "tests" / "corpus", folder, free_port()) as server, sync_playwright() as playwright:
        found["server answers, from its start"] = time.perf_counter() - begun
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        page = browser.new_page()
        outside: list[str] = []
        block_others(page.context, outside)
        begun = time.perf_counter()
        page.goto(server.address)
        page.get_by_role("textbox", name="Your question").wait_for()
        found["question can be typed, from the request"] = time.perf_counter() - begun
        found["first paint, from the request"] = page.evaluate(FIRST_PAINT)
        for name, question in (
            ("first answer, from Enter", "When will the mayoral election be repeated?"),
            ("second answer, from Enter", "Who led the blockade of the silos?"),
        ):
            begun = time.perf_counter()
            ask(page, question)
            found[name] = time.perf_counter() - begun
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        found["memory of the server, MB"] = int(status.split("VmRSS:")[1].split()[0]) / 1000
        found["requests to other machines"] = len(outside) + len(server.reached_out())
        browser.close()
    return found


def main() -> None:
    """Index once, then start a few times, and print the medians and the slowest."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        first = measure(Path(folder))
        runs = [measure(Path(folder)) for _ in range(times)]
    print(f"{'':42}{'median':>8}{'most':>8}{'with indexing':>16}")
    for name in runs[0]:
        values = [run[name] for run in runs]
        print(f"{name:42}{statistics.median(values):8.2f}{max(values):8.2f}{first[name]:16.2f}")


if __name__ == "__main__":
    main()
