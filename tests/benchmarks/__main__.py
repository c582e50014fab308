"""Measures this system and its peers on the same corpora and questions: `python -m tests.benchmarks --data FOLDER`.

FOLDER has `dev/*.jsonl.gz`, SQuAD-shaped questions whose contexts are the corpus, and `train/*.jsonl.gz`, whose
sentences the larger corpora are made of. A peer needs its environment: `--install` makes it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from index import DEFAULT_ENCODER
from index.embedder import DEFAULT_LABEL
from tests.benchmarks import corpus as corpora
from tests.benchmarks.figures import Record, growth, medians, percentiles, quality, table
from tests.benchmarks.machine import floor, machine, starts, versions
from tests.benchmarks.prepare import embedded_by_ours, prepare, reader_folder

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / ".venv-bench"
SYSTEMS = {
    "ours": None,
    "ours_one": None,
    "txtai": "txtai",
    "haystack": "haystack",
    "haystack_faiss": "haystack",
    "plain": "plain",
}
"""By system the environment that it runs in; ours, reading five passages a question or one, runs in this one."""
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",  # else waiting counts as processor time
}


def main() -> None:
    options = _parser().parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the corpus is put back as it was
    if options.install:
        install(options.systems)
    path = options.out / "results.json"
    results = json.loads(path.read_text()) if path.exists() else {"records": []}
    if options.data:
        encoder = options.encoder or DEFAULT_ENCODER
        reader = reader_folder(options.out)
        results["machine"] = machine()
        results.setdefault("versions", {}).update({s: versions(_python(s)) for s in options.systems})
        for size in options.sizes:
            prepare(options.out / f"corpus-{size}", options.data, size)
        for size in options.sizes:
            for _ in range(options.runs):
                for system in options.systems:
                    for record in measure(system, size, results["records"], encoder, reader, options):
                        results["records"].append(record)  # kept at once: what is stopped loses one phase
                        path.write_text(json.dumps(results, indent=1) + "\n")
    files = options.out / "corpus-dev" / "files"
    if options.floor:
        results["floor"] = floor(Path(DEFAULT_ENCODER), embedded_by_ours(files))
        path.write_text(json.dumps(results, indent=1) + "\n")
    if options.starts:
        question = json.loads((files.parent / "questions.json").read_text())[0]["question"]
        results["starts"] = starts(files, question, options.starts, {**os.environ, **QUIET})
        path.write_text(json.dumps(results, indent=1) + "\n")
    summary = tables(results)
    (options.out / "table.md").write_text(summary)
    if options.plot:
        from tests.benchmarks.plot import plot

        plot(_growing(results), options.plot)
    print(summary)


def tables(results: dict[str, Any]) -> str:
    """All tables as Markdown, one a size and encoder; how the costs grow; what is known of the machine."""
    parts = []
    kinds = dict.fromkeys((r["size"], r["encoder"]) for r in results["records"])
    for size, encoder in kinds:
        records = [r for r in results["records"] if (r["size"], r["encoder"]) == (size, encoder)]
        systems = [s for s in SYSTEMS if any(r["system"] == s for r in records)]
        runs = {s: 1 + max(r["run"] for r in records if r["system"] == s) for s in systems}
        parts.append(f"{size}, {encoder}, runs {runs}\n\n{table(medians(records), systems)}\n")
    parts.append(growth(_growing(results)))
    for name in ("floor", "starts"):
        parts += [f"{name}: {json.dumps(results[name], indent=1)}\n"] if name in results else []
    return "\n".join(parts)


def _growing(results: dict[str, Any]) -> list[Record]:
    """The records of the made corpora, with the encoder in the system's name where it is not the packaged one."""
    named = ((r, "" if r["encoder"] == DEFAULT_LABEL else f", {r['encoder']}") for r in results["records"])
    return [{**r, "system": r["system"] + name} for r, name in named if r["size"] != "dev"]


def install(systems: list[str]) -> None:
    """Make the peers' environments, with the versions pinned in `requirements/`."""
    for name in sorted({environment for s in systems if (environment := SYSTEMS[s])}):
        if not (ENVIRONMENTS / name).exists():
            venv.create(ENVIRONMENTS / name, with_pip=True)
        wanted = Path(__file__).parent / "requirements" / f"{name}.txt"
        subprocess.run([ENVIRONMENTS / name / "bin" / "python", "-m", "pip", "install", "-q", "-r", wanted], check=True)


def measure(
    system: str, size: str, before: list[Record], encoder: str, reader: Path, options: argparse.Namespace
) -> Iterator[Record]:
    """One run of one system: build, ask, sync with changes, sync without, each in a new process."""
    folder = options.out / f"corpus-{size}"
    questions = json.loads((folder / "questions.json").read_text())
    edits = json.loads((folder / "edits.json").read_text())
    label = DEFAULT_LABEL if encoder == DEFAULT_ENCODER else Path(encoder).name
    described = {"system": system, "size": size, "encoder": label}
    earlier = [r for r in before if described.items() <= r.items()]
    run, known = 1 + max((r["run"] for r in earlier), default=-1), any("recall@5" in r["figures"] for r in earlier)
    questions = questions[: options.timed if known else options.questions]  # fewer will do for timings

    with tempfile.TemporaryDirectory(dir=options.out) as scratch:
        place, asked = Path(scratch) / "index", Path(scratch) / "questions.json"
        asked.write_text(json.dumps([q["question"] for q in questions]))

        def phase(name: str) -> Record | None:
            found = Path(scratch) / "found.json"
            found.unlink(missing_ok=True)
            arguments = ["--corpus", folder / "files", "--place", place, "--questions", asked, "--out", found]
            arguments += ["--encoder", encoder, "--reader", reader, "--started", repr(time.time())]
            if (folder / "vectors.npz").exists():
                arguments += ["--vectors", folder / "vectors.npz"]
            command = [str(a) for a in (_python(system), "-m", "tests.benchmarks.worker", system, name, *arguments)]
            try:
                subprocess.run(command, cwd=ROOT, env={**os.environ, **QUIET}, timeout=options.limit, check=True)
            except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
                print(system, size, name, "failed:", error, file=sys.stderr)
                return None
            return dict(json.loads(found.read_text()))

        def record(name: str, figures: Record) -> Record:
            print(system, size, run, name, {k: round(v, 3) for k, v in figures.items()}, flush=True)
            return {**described, "run": run, "phase": name, "figures": figures}

        built = phase("build")
        if built is None:
            return
        built["passages_per_second"] = built["passages"] / built["seconds"]
        built["passages_per_cpu_second"] = built["passages"] / built["cpu_seconds"]
        built["disk_mb"] = sum(p.stat().st_size for p in place.rglob("*") if p.is_file()) / 1e6
        yield record("build", built)
        answers = phase("ask")
        if answers is not None:
            searched, answered = answers.pop("search"), answers.pop("answer")
            for name, timed in (("search", searched), ("answer", answered)):
                answers |= percentiles(timed["seconds"], name) | percentiles(timed["cpu_seconds"], f"{name}_cpu")
            if not known:
                answers |= quality(questions, searched["results"], answered["results"])
            yield record("ask", answers)
        originals = {name: (folder / "files" / name).read_text(encoding="utf-8") for name in edits}
        try:
            for name in ("changed", "unchanged") if options.syncs else ():
                corpora.write(edits, folder / "files")
                synced = phase("sync")
                if synced is not None:
                    yield record(name, synced)
        finally:
            corpora.write(originals, folder / "files")


def _python(system: str) -> Path:
    environment = SYSTEMS[system]
    return Path(sys.executable) if environment is None else ENVIRONMENTS / environment / "bin" / "python"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--data", type=Path, help="the questions; without, only the table is made from the results")
    parser.add_argument("--sizes", nargs="+", default=["dev"], metavar="dev|PASSAGES")
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--encoder", help="a sentence-transformers folder for all systems (default: the packaged one)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--questions", type=int, default=240, help="asked in the first run, of 240")
    parser.add_argument("--timed", type=int, default=60, help="asked in the others, for the timings")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds that one phase may take")
    parser.add_argument("--no-syncs", dest="syncs", action="store_false", help="leave out the second and third syncs")
    parser.add_argument("--floor", action="store_true", help="measure what the encoder's arithmetic allows")
    parser.add_argument("--starts", type=int, metavar="TIMES", help="measure the starts of the commands, so many times")
    parser.add_argument("--install", action="store_true", help="make the peers' environments first")
    parser.add_argument("--out", type=Path, default=ROOT / ".venv-bench" / "results")
    parser.add_argument("--plot", type=Path, help="draw the figures over the sizes there (SVG or PNG)")
    return parser


if __name__ == "__main__":
    main()
