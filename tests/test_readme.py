"""What the README shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

from qa import Pipeline
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_first_question_gets_the_answer_that_is_shown(seeds: Pipeline) -> None:
    question, shown = re.findall(r'```\n\$ python -m qa "(.*?)"\n(.*?)\n```', README, re.DOTALL)[0]
    assert str(seeds.ask(question)) == shown


def test_the_python_example_is_true(seeds: Pipeline) -> None:
    answer = seeds.ask("Who asked the CSTO for help?")
    assert f'# "{answer.text}", or None' in README
    assert f'# "{answer.citations[0].uri}", RFC 5147' in README


def test_the_gate_runs_the_readmes_test_command() -> None:
    command = re.findall(r"^python3 -m venv .*pytest$", README, re.MULTILINE)
    assert len(command) == 1
    assert command[0] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_the_tree_names_every_file() -> None:
    tree = README[README.index("seeds/                 ") :]
    for package in ("index", "qa", "app"):
        for path in sorted((ROOT / package).glob("*.py")):
            assert path.name in tree or path.name == "__init__.py", f"{package}/{path.name} is not in the README's tree"


def test_every_relative_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", README):
        assert (ROOT / Path(target)).exists(), target
