"""What the sources may not do, held by reading them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(p for package in ("index", "qa", "app") for p in (ROOT / package).rglob("*.py"))
MODULES = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle", "code", "codeop"}
CALLS = {"eval", "exec", "compile", "__import__", "system", "popen", "getoutput", "getstatusoutput"}
PROCESSES = {"index/bounded.py"}


def wrongs(tree: ast.AST) -> Iterator[str]:
    """What in a source loads objects, runs text as code or goes through a shell."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            yield str(node.module)
        elif isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else None
            of = (
                node.func.value.id
                if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
                else ""
            )
            called = node.func.attr if isinstance(node.func, ast.Attribute) else name
            if called in CALLS and (name or of in ("os", "subprocess", "builtins")):
                yield f"{called}()"
            if (of, called) == ("torch", "load") and not _says(node, {"weights_only": True}):
                yield f"{of}.load()"
            for keyword in node.keywords:
                value = keyword.value.value if isinstance(keyword.value, ast.Constant) else "not a constant"
                if keyword.arg in ("trust_remote_code", "shell", "allow_pickle") and value is not False:
                    yield f"{keyword.arg}={value}"


def _says(call: ast.Call, wanted: dict[str, object]) -> bool:
    given = {k.arg: k.value.value for k in call.keywords if isinstance(k.value, ast.Constant)}
    return all(given.get(name) is value for name, value in wanted.items())


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_source_unpickles_evaluates_or_runs_a_shell(path: Path) -> None:
    assert list(wrongs(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "source",
    ["import pickle", "from joblib import load", "eval('1')", "os.system('x')", "subprocess.run('x', shell=True)",
     "f(trust_remote_code=flag)", "torch.load('x')", "np.load('x', allow_pickle=True)", "exec(x)"],
)  # fmt: skip
def test_the_check_finds_what_it_looks_for(source: str) -> None:
    assert list(wrongs(ast.parse(source)))


def test_only_one_source_starts_processes() -> None:
    starting = set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", None)]
            if isinstance(node, ast.Import | ast.ImportFrom) and {"subprocess", "multiprocessing", "pty"} & set(names):
                starting.add(path.relative_to(ROOT).as_posix())
    assert starting - {"index/cluster_join.py"} == PROCESSES


def test_weights_are_kept_as_safetensors_only() -> None:
    kept = {p.suffix for p in (ROOT / "qa" / "reader").iterdir() if p.is_file()}
    assert ".safetensors" in kept and not kept & {".bin", ".pt", ".pth", ".pkl", ".ckpt", ".npy", ".npz"}
