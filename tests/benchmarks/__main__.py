"""Measures this system and its peers on the same corpora and questions: `python -m tests.benchmarks --data FOLDER`.

FOLDER has `dev/*.jsonl.gz`, SQuAD-shaped questions whose contexts are the corpus, and `train/*.jsonl.gz`, whose
sentences the larger corpora are made of. A peer needs its environment: `--install` makes it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks import corpus as corpora
from tests.benchmarks.figures import Record, medians, percentiles, quality, table
from tests.benchmarks.machine import floor, machine, versions

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / ".venv-bench"
SYSTEMS = {"ours": None, "txtai": "txtai", "haystack": "haystack", "haystack_faiss": "haystack", "plain": "plain"}
"""By system the environment that it runs in; ours runs in this one."""
SETS = ("amazon_reviews", "new_wiki", "reddit", "squad2")
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
    if options.install:
        install(options.systems)
    path = options.out / "results.json"
    results = json.loads(path.read_text()) if path.exists() else {"records": []}
    if options.data:
        from index import DEFAULT_ENCODER

        encoder = options.encoder or DEFAULT_ENCODER
        reader = reader_folder(options.out / "reader", Path(DEFAULT_ENCODER))
        results["machine"] = machine()
        results.setdefault("versions", {}).update({s: versions(_python(s)) for s in options.systems})
        for size in options.sizes:
            prepare(options.out / f"corpus-{size}", options.data, size, options.questions, Path(DEFAULT_ENCODER))
        for size in options.sizes:
            for _ in range(options.runs):
                for system in options.systems:
                    for record in measure(system, size, results["records"], encoder, reader, options):
                        results["records"].append(record)  # kept at once: what is stopped loses one phase
                        path.write_text(json.dumps(results, indent=1) + "\n")
    if options.floor:
        texts = [t.strip() for t in json.loads((options.out / "corpus-dev" / "texts.json").read_text()).values()]
        from index import DEFAULT_ENCODER

        results["floor"] = floor(Path(DEFAULT_ENCODER), texts)
        path.write_text(json.dumps(results, indent=1) + "\n")
    summary = tables(results)
    (options.out / "table.md").write_text(summary)
    if options.plot:
        from tests.benchmarks.plot import plot

        plot(results["records"], options.plot)
    print(summary)


def tables(results: dict[str, Any]) -> str:
    """All tables as Markdown, one a size and encoder."""
    parts = []
    kinds = dict.fromkeys((r["size"], r["encoder"]) for r in results["records"])
    for size, encoder in kinds:
        records = [r for r in results["records"] if (r["size"], r["encoder"]) == (size, encoder)]
        systems = [s for s in SYSTEMS if any(r["system"] == s for r in records)]
        runs = {s: 1 + max(r["run"] for r in records if r["system"] == s) for s in systems}
        parts.append(f"{size}, {encoder}, runs {runs}\n\n{table(medians(records), systems)}\n")
    return "\n".join(parts)


def install(systems: list[str]) -> None:
    """Make the peers' environments, with the versions pinned in `requirements/`."""
    for name in sorted({environment for s in systems if (environment := SYSTEMS[s])}):
        if not (ENVIRONMENTS / name).exists():
            venv.create(ENVIRONMENTS / name, with_pip=True)
        wanted = Path(__file__).parent / "requirements" / f"{name}.txt"
        subprocess.run([ENVIRONMENTS / name / "bin" / "python", "-m", "pip", "install", "-q", "-r", wanted], check=True)


def reader_folder(folder: Path, encoder: Path) -> Path:
    """Our reader as a whole model folder of transformers, in float32, with its tokenizer, for the peers."""
    if not folder.exists():
        from transformers import AutoTokenizer

        from qa.reader import WEIGHTS
        from qa.weights import load_network

        load_network(encoder, WEIGHTS).save_pretrained(folder)
        AutoTokenizer.from_pretrained(str(encoder)).save_pretrained(folder)
    return folder


def prepare(folder: Path, data: Path, size: str, questions: int, encoder: Path) -> None:
    """Write the corpus, the edits, the questions and, for made passages, their vectors; once."""
    if folder.exists():
        return
    from index import Embedder, sentences

    half = folder.with_name(folder.name + ".half")
    shutil.rmtree(half, ignore_errors=True)
    (half / "files").mkdir(parents=True)
    texts, asked = corpora.real_files(corpora.read_lines(data / "dev" / f"{name}.jsonl.gz" for name in SETS))
    if size != "dev":
        pool = corpora.sentence_pool(
            corpora.read_lines(data / "train" / f"{name}.jsonl.gz" for name in SETS), sentences
        )
        passages = list(corpora.made_passages(pool, int(size) - len(texts)))
        vectors, lengths = _pool_vectors(pool, Embedder(str(encoder)), folder.parent)
        texts |= corpora.made_files(pool, passages)
        both = passages + [[*places, len(pool) - 1] for places in passages]  # as they are, and as `edited` makes them
        keys = [corpora.text_key(corpora.passage_text(pool, places)) for places in both]
        corpora.np.savez(half / "vectors.npz", keys=keys, vectors=corpora.passage_vectors(vectors, both, lengths))
    corpora.write(texts, half / "files")
    (half / "edits.json").write_text(json.dumps(corpora.changed(texts)))
    (half / "texts.json").write_text(json.dumps({n: t for n, t in texts.items() if n.startswith("real/")}))
    sample = corpora.chosen(asked, questions * 4 // 5, questions // 5)
    (half / "questions.json").write_text(json.dumps([q.to_dict() for q in sample]))
    half.rename(folder)


def _pool_vectors(pool: list[str], embedder: Any, out: Path) -> tuple[Any, Any]:
    """The sentences' vectors, embedded once for all sizes, and their lengths in characters."""
    np, kept = corpora.np, out / "pool.npy"
    if not kept.exists():
        np.save(kept, embedder.embed(pool))
    return np.load(kept), np.array([len(s) for s in pool], dtype=np.float32)


def measure(
    system: str, size: str, before: list[Record], encoder: str, reader: Path, options: argparse.Namespace
) -> Iterator[Record]:
    """One run of one system: build, ask, sync with changes, sync without, each in a new process."""
    folder = options.out / f"corpus-{size}"
    questions = json.loads((folder / "questions.json").read_text())
    edits = json.loads((folder / "edits.json").read_text())
    described = {"system": system, "size": size, "encoder": Path(encoder).name}
    earlier = [r for r in before if described.items() <= r.items()]
    run, known = 1 + max((r["run"] for r in earlier), default=-1), any("recall@5" in r["figures"] for r in earlier)
    if known:
        questions = questions[: options.timed]  # fewer will do for timings

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
    parser.add_argument("--questions", type=int, default=240, help="asked in the first run, for the quality")
    parser.add_argument("--timed", type=int, default=60, help="asked in the others, for the timings")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds that one phase may take")
    parser.add_argument("--no-syncs", dest="syncs", action="store_false", help="leave out the second and third syncs")
    parser.add_argument("--floor", action="store_true", help="measure what the encoder's arithmetic allows")
    parser.add_argument("--install", action="store_true", help="make the peers' environments first")
    parser.add_argument("--out", type=Path, default=ROOT / ".venv-bench" / "results")
    parser.add_argument("--plot", type=Path, help="draw the figures over the sizes there (SVG or PNG)")
    return parser


if __name__ == "__main__":
    main()
