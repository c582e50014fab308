"""Who may import whom, held by reading the imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(p for package in ("index", "qa", "app") for p in (ROOT / package).rglob("*.py"))
HOME = {
    "torch": {
        "index/bert.py",
        "index/embedder.py",
        "index/distil.py",
        "qa/reader.py",
        "qa/train.py",
        "qa/weights.py",
    },
    "transformers": {"index/embedder.py", "qa/weights.py"},
    "sentence_transformers": {"index/embedder.py"},
    "faiss": {"index/vectors.py"},
    "tantivy": {"index/lexical.py", "index/cluster_lexical.py"},
    "ray": {
        "index/cluster.py",
        "index/cluster_build.py",
        "index/cluster_join.py",
        "index/cluster_serve.py",
        "qa/cluster.py",
    },
    "pyarrow": {"index/cluster_build.py"},
    "gradio": {"app/chat.py", "app/corpus.py", "app/keep.py", "app/programs.py", "app/server.py"},
    "sqlite3": {"index/database.py", "index/schema.py", "index/lock.py"},
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_go_from_app_to_qa_to_index_and_never_back(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    for name in imports(path):
        top = name.split(".")[0]
        if package == "index":
            assert top not in ("qa", "app"), f"{path} imports {name}"
        if package == "qa":
            assert top != "app", f"{path} imports {name}"
            assert top != "index" or name in ("index", "index.progress", "index.bert", "index.cluster_join"), (
                f"{path} imports {name}, not a public name"
            )
        if package == "app":
            assert top != "index", f"{path} imports {name}"
            assert top != "qa" or name in ("qa", "qa.answer"), f"{path} imports {name}, not a public name"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_each_heavy_library_has_one_home(path: Path) -> None:
    place = path.relative_to(ROOT).as_posix()
    for name in imports(path):
        home = HOME.get(name.split(".")[0])
        assert home is None or place in home, f"{place} imports {name}"


@pytest.mark.parametrize("package", ["index", "qa", "app"])
def test_init_files_hold_names_only(package: str) -> None:
    tree = ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8"))
    assert all(isinstance(node, ast.ImportFrom | ast.Assign | ast.Expr) for node in tree.body)


@pytest.mark.parametrize("package", ["index", "qa"])
def test_what_is_exported_is_what_is_listed(package: str) -> None:
    module = __import__(package)
    tree = ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8"))
    imported = {alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert sorted(imported) == sorted(module.__all__)


@pytest.mark.parametrize(
    "command",
    [
        ["qa", "--help"], ["qa", " "], ["qa", "Who?", "--corpus", "no-such-folder"], ["qa", "Who?", "--k", "0"],
        ["index", "--help"], ["index", "no-such-folder"], ["app", "--help"], ["app", "--corpus", "no-such-folder"],
        ["qa.evaluate", "--help"], ["qa.evaluate", "no-such-file"], ["qa.train", "--help"],
        ["qa.average", "--help"],
        ["qa.cluster", "--help"], ["qa.cluster", "no-such-folder"],
        ["index.distil", "--help"],
        ["qa.verify", "--help"], ["qa.verify", "no-such-file"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_nothing_heavy_is_imported_for_help_or_bad_input(command: list[str]) -> None:
    code = (
        "import runpy, sys\n"
        "sys.argv = sys.argv[1:]\n"
        "try: runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)\n"
        "except SystemExit: pass\n"
        "heavy = set('torch transformers sentence_transformers faiss tantivy gradio matplotlib pandas ray'.split())\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "Traceback" not in done.stderr
