"""The documents, one's own files, and what is kept, in Debian's Chromium; and what axe-core says of all of it."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from app_process import ask
from playwright.sync_api import Browser, Page, expect
from test_app_browser import browser, outside, page  # noqa: F401
from test_app_fakes import GRADIO_WARNINGS, FakePipeline, OwnPipeline, served

from qa import Entry
from qa.questions import read_questions
from tests.conftest import ROOT

pytestmark = [pytest.mark.browser, *GRADIO_WARNINGS]
AXE = ROOT / ".axe" / "package" / "axe.min.js"


@pytest.fixture(scope="module")
def pipeline() -> FakePipeline:
    return FakePipeline()


@pytest.fixture(scope="module")
def address(pipeline: FakePipeline) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("app.uploads.beside", OwnPipeline)
        with served(pipeline) as address:
            yield address


@pytest.fixture
def mill(tmp_path: Path) -> Path:
    path = tmp_path / "mill.txt"
    path.write_text("Mill burns down\n\nThe old mill burned in the night of the fire, and nobody was hurt by it.\n")
    return path


def open_documents(page: Page) -> None:
    page.get_by_role("button", name="Documents").click()
    expect(page.locator("#listing .count")).to_be_visible()


def add(page: Page, *files: Path) -> None:
    page.locator("#files input[type=file]").set_input_files(files)
    expect(page.locator("#listing :is(.own, [role=alert])").first).to_be_visible()


def test_the_documents_are_listed_with_what_could_not_be_read(page: Page) -> None:
    open_documents(page)
    expect(page.locator("#listing .count")).to_contain_text("last looked at 2024-03-12 09:30 UTC")
    expect(page.locator("#listing .documents")).to_contain_text("<b>bad</b>.txt")
    expect(page.locator("#listing .reasons")).to_contain_text("scans/<i>old</i>.pdf: there is no text in it: a scan?")


def test_a_question_is_put_to_the_chosen_folder_only(page: Page, pipeline: FakePipeline) -> None:
    open_documents(page)
    page.get_by_label("Search only in").fill("news/")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Documents: only those chosen here are searched")).to_be_visible()
    ask(page, "Who mediated?")
    assert "news/end.txt" in pipeline.searched and "ferry.txt" not in pipeline.searched
    page.get_by_label("From").fill("yesterday")
    page.get_by_role("textbox", name="Your question").fill("Who mediated?")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The date “yesterday” cannot be read")


def test_looking_for_changes_tells_how_far_it_is_while_others_ask(page: Page, browser: Browser, address: str) -> None:
    open_documents(page)
    other = browser.new_page()
    other.goto(address)
    page.get_by_role("button", name="Look for changes").click()
    expect(page.locator("#listing .status")).to_contain_text(re.compile(r"Reading file \d of 3"))
    ask(other, "Who mediated?")
    expect(page.locator("#listing .status")).to_have_text("Up to date.")
    expect(page.locator("#listing .documents")).to_contain_text("A new headline")
    other.close()


def test_own_files_are_added_asked_seen_by_nobody_else_and_removed(
    page: Page, browser: Browser, address: str, mill: Path, tmp_path: Path, pipeline: FakePipeline
) -> None:
    (tmp_path / "empty.txt").write_text("")
    open_documents(page)
    add(page, mill, tmp_path / "empty.txt")
    expect(page.locator("#listing .own li")).to_contain_text("mill.txt")
    expect(page.locator("#listing [role=alert]")).to_contain_text("empty.txt: it is empty")
    ask(page, "What burned?")
    expect(page.locator("#log .words strong").last).to_have_text("mill")
    page.locator("#log .number").last.click()
    expect(page.locator("#cited")).to_have_text("mill")
    page.keyboard.press("Escape")

    other = browser.new_page()
    other.goto(address)
    (kept,) = pipeline.uploads.rglob("mill.txt")
    assert other.request.get(f"{address}gradio_api/file={kept}").status == 403
    open_documents(other)
    expect(other.locator("#listing .own")).to_have_count(0)
    ask(other, "What burned?")
    expect(other.locator("#log .answer")).to_contain_text("The documents do not answer this.")
    other.close()

    page.get_by_role("button", name="Remove mill.txt").click()
    expect(page.locator("#listing .own")).to_have_count(0)
    assert not list(pipeline.uploads.rglob("*.txt"))
    ask(page, "What burned?")
    expect(page.locator("#log .answer").last).to_contain_text("The documents do not answer this.")


def test_own_files_are_removed_when_their_session_ends(page: Page, mill: Path, pipeline: FakePipeline) -> None:
    open_documents(page)
    add(page, mill)
    assert list(pipeline.uploads.rglob("mill.txt"))
    page.goto("about:blank")
    sessions, until = pipeline.blocks.app.state_holder, time.monotonic() + 30
    while list(pipeline.uploads.rglob("*.txt")) and time.monotonic() < until:
        for session in sessions.session_data.values():
            session.STATE_TTL_WHEN_CLOSED = 0  # Gradio keeps a closed session for an hour, to be taken up again
        sessions.delete_all_expired_state()
        time.sleep(0.1)
    assert not list(pipeline.uploads.rglob("*.txt"))


def test_thousands_of_documents_are_turned_over_by_the_hundred_and_any_can_be_chosen(
    page: Page, pipeline: FakePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = pipeline.index.documents()
    many = [Entry(f"{n % 7}/{n:05}.txt", "0", f"Headline {n}", None, 1) for n in range(20_000)]
    monkeypatch.setattr(pipeline.index, "documents", lambda: many + few)
    page.reload()
    open_documents(page)
    expect(page.locator("#listing .count")).to_contain_text(f"{20_000 + len(few):,} documents")
    expect(page.locator("#listing .documents li")).to_have_count(100)
    expect(page.get_by_role("button", name="Previous 100")).to_be_disabled()
    page.get_by_role("button", name="Next 100").click()
    expect(page.locator("#listing .documents li").first).to_contain_text("Headline 100")
    expect(page.locator("#listing .steps")).to_contain_text("101 to 200")
    page.get_by_role("button", name="Previous 100").click()
    expect(page.locator("#listing .documents li").first).to_contain_text("Headline 0")
    places = page.get_by_label("Search only in")
    places.click()
    expect(page.get_by_role("option").first).to_have_text(re.compile("0/"))
    for written in ("ferry.txt", "6/"):  # the first is too far down to be offered, the second is a folder
        places.fill(written)
        page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    ask(page, "Who mediated?")
    assert {"ferry.txt", "6/00006.txt"} < set(pipeline.searched or ()) and "0/00000.txt" not in pipeline.searched


def test_the_conversation_is_saved_as_text_and_as_json(page: Page) -> None:
    page.get_by_role("button", name="Save text").click()
    expect(page.get_by_text("Nothing has been asked yet.")).to_be_visible()
    ask(page, "What was agreed?")
    with page.expect_download() as text:
        page.get_by_role("button", name="Save text").click()
    assert text.value.suggested_filename == "conversation.md"
    assert "**six per cent**" in Path(text.value.path()).read_text(encoding="utf-8")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save JSON").click()
    form = json.loads(Path(saved.value.path()).read_text(encoding="utf-8"))
    assert form["turns"][0]["citations"][0]["target"]["selector"][0]["exact"] == "six per cent"


def test_an_answer_is_copied_with_its_citation(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ask(page, "Who mediated?")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert "Ruth Okafor" in copied[0] and "ferry.txt" in copied[1] and "2024-03-12" in copied[1]


def test_a_thumb_and_a_remark_are_kept_as_a_test_question(page: Page, pipeline: FakePipeline) -> None:
    file = pipeline.uploads / "feedback.jsonl"
    file.unlink(missing_ok=True)
    ask(page, "Who mediated?")
    page.get_by_role("button", name="This is right").click()
    page.get_by_label("What is right about it?").fill("indeed")
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_text("Kept. Thank you.")).to_be_visible()
    assert [q[0].answers for q in read_questions(file)] == [("Ruth Okafor",)]
    assert json.loads(file.read_text())["remark"] == "indeed"


def test_axe_finds_no_serious_violation(page: Page, mill: Path) -> None:
    if not AXE.exists():
        message = f"{AXE} is missing: see .ci/run"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    look(page)
    open_documents(page)
    add(page, mill)
    look(page)
    page.get_by_role("button", name="Documents").click()
    ask(page, "What was agreed?")
    page.get_by_role("button", name="This is wrong").click()
    expect(page.get_by_label("What is wrong about it?")).to_be_visible()
    look(page)
    page.locator("#log .number").first.click()
    expect(page.locator("#cited")).to_be_visible()
    look(page)


def look(page: Page) -> None:
    found = page.evaluate("async () => (await axe.run()).violations")
    grave = [
        (v["id"], v["impact"], [n["html"][:300] for n in v["nodes"]])
        for v in found
        if v["impact"] in ("serious", "critical")
    ]
    assert not grave, json.dumps(grave, indent=1)
