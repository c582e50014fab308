"""`python -m index FOLDER`: index a folder of documents, or bring its index up to date."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from index import BadCorpus, Index, QAError, SyncReport, index_folder, remove_index
from index.progress import Parser, progress_bar, tell, tell_error, visible


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns its exit status: 0 done, 2 bad input, 130 stopped."""
    options = _parser().parse_args(arguments)
    try:
        if not options.folder.is_dir():
            raise BadCorpus(f"{options.folder} is no folder: give the folder that holds the documents")
        place = options.index or index_folder(options.folder)
        if options.rebuild:
            remove_index(place)
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        index = Index.open(place, encoder=options.encoder)
        with progress_bar() as progress:
            report = index.sync(options.folder, progress=progress, check=options.check)
    except QAError as error:
        tell_error("index", error)
        return 2
    except KeyboardInterrupt:
        print("\nindex: stopped; what was embedded is kept, the same command goes on from there", file=sys.stderr)
        return 130
    tell(_summary(report, place))
    return 0


def _summary(report: SyncReport, place: Path) -> str:
    lines = [f"{report.documents:,} documents, {report.passages:,} passages in {visible(place)}"]
    counts = {
        "added": len(report.added),
        "changed": len(report.changed),
        "removed": len(report.removed),
        "renamed": len(report.renamed),
        "unreadable": len(report.unreadable),
    }
    said = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count) or "nothing changed"
    lines.append(f"{said}; {report.embedded:,} passages embedded in {report.seconds:.1f} s")
    lines += [f"  not indexed: {path!r}: {visible(reason)}" for path, reason in report.unreadable]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m index", description="Index a folder of documents, or bring its index up to date.")
    parser.add_argument("folder", type=Path, help="the folder of .txt, .md, .html, .pdf and .docx files")
    parser.add_argument("--index", type=Path, metavar="DIR", help="where the index lies (default: in the user's cache)")
    parser.add_argument("--encoder", metavar="NAME", help="light, or a sentence-transformers name or folder")
    parser.add_argument("--check", action="store_true", help="read every file, and verify all that the index holds")
    parser.add_argument("--rebuild", action="store_true", help="remove the index first and embed everything again")
    return parser


if __name__ == "__main__":
    sys.exit(main())
