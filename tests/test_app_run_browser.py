"""The chat as it is run, `python -m app` with its real models, in Debian's Chromium: a run through what a person does,
a corpus of files that mean harm, files that change. Neither the browser nor the server may ask for anything elsewhere.
"""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from app_process import _GUARD, ROOT, Running, ask, block_others, free_port, running
from formats import pdf
from playwright.sync_api import Browser, Page, expect
from test_app_browser import browser, seen  # noqa: F401

from app.marks import _UNSEEN
from index import read_document

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MUSEUM = [
    "Museum of the sea reopens in Stonewick",
    "The museum of the sea in Stonewick reopens on 9 June 2031, two years after the great storm took its roof off.",
    "Its new keeper is Maren Holt, who sailed on the last of the whaling ships and has mended nets ever since.",
]


@contextmanager
def opened(browser: Browser, server: Running, **options) -> Iterator[Page]:
    """A page of a new session; fails on errors, dialogs, scripts of documents, and requests to elsewhere."""
    context = browser.new_context(accept_downloads=True, **options)
    outside, page, errors = [], context.new_page(), []
    block_others(context, outside)
    page.on("pageerror", lambda error: errors.append(str(error)))
    # What cannot be reached is counted otherwise, and the server may have been stopped.
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" and "net::ERR_" not in m.text else None)
    page.on("dialog", lambda dialog: errors.append(f"dialog {dialog.message}"))
    page.goto(server.address)
    yield page
    assert page.evaluate("window.hacked ?? null") is None and not errors
    context.close()
    assert outside == [] and server.reached_out() == []


def drop(page: Page, file: Path) -> None:
    """Let go of a file over the field for files, as a mouse does."""
    page.locator("#files button").first.evaluate(
        """(field, [name, data]) => {
            const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], name));
            field.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }""",
        [file.name, base64.b64encode(file.read_bytes()).decode()],
    )


def said(page: Page) -> str:
    """The words of the last answer that are in bold, or all of it."""
    words = page.locator("#log .answer > .words").last
    bold = words.locator("strong")
    return (bold.first if bold.count() else words).inner_text()


def place(page: Page) -> str:
    return " · ".join(page.locator("#document .where > span").all_text_contents())


def save(page: Page, button: str, folder: Path) -> Path:
    with page.expect_download() as saved:
        page.get_by_role("button", name=button).click()
    path = folder / saved.value.suggested_filename
    saved.value.save_as(path)
    return path


def test_a_run_from_the_first_question_to_the_verified_export(browser: Browser, tmp_path: Path) -> None:
    steps: list[str] = []
    (tmp_path / "Stonewick.pdf").write_bytes(pdf([["", ""], MUSEUM]))
    corpus = ROOT / "tests" / "corpus"
    with (
        running(corpus, tmp_path, free_port()) as server,
        opened(browser, server, viewport={"width": 1280, "height": 800}) as page,
    ):
        ask(page, "When will the mayoral election be repeated?")
        expect(page.locator("#log .words strong").first).to_have_text("Sunday, 18 May")
        steps.append(f"Asked: When will the mayoral election be repeated? - {said(page)}")

        page.locator("#log .number").first.click()
        expect(page.locator("#cited")).to_have_text("Sunday, 18 May")
        expect(page.locator("#cited")).to_be_in_viewport()
        assert seen(page, "#cited")
        where = place(page)
        assert "19-missing-ballot-box.txt" in where and "line 4" in where
        steps.append(f"Clicked [1], and read it marked in {where}")
        page.keyboard.press("Escape")

        ask(page, "Why?")
        understood = page.locator("#log .understood")
        expect(understood).to_contain_text("understood as: Why will the mayoral election be repeated")
        steps.append(f"Asked: Why? - understood as: {understood.locator('bdi').inner_text()} - {said(page)}")
        page.get_by_role("button", name="Ask it as I typed it").click()
        expect(page.locator("#log .understood")).to_have_count(0)
        expect(page.locator("#log .searching")).to_have_count(0)
        expect(page.locator("#log .turn")).to_have_count(2)
        steps.append(f"Undid that: Why? - {said(page)}")

        page.get_by_role("button", name="Documents").click()
        drop(page, tmp_path / "Stonewick.pdf")
        expect(page.locator("#listing .own li")).to_contain_text("Stonewick.pdf")
        steps.append(f"Dropped {page.locator('#listing .own bdi').inner_text()}")
        page.get_by_role("button", name="Documents").click()
        ask(page, "Who is the new keeper of the museum in Stonewick?")
        expect(page.locator("#log .answer > .words strong").last).to_have_text("Maren Holt")
        page.locator("#log .turn").last.locator(".number").first.click()
        expect(page.locator("#cited")).to_have_text("Maren Holt")
        expect(page.locator("#document .where")).to_contain_text("page 2")
        steps.append(f"Asked: Who is the new keeper of the museum in Stonewick? - {said(page)} - {place(page)}")
        page.keyboard.press("Escape")

        text, exported = save(page, "Save text", tmp_path), save(page, "Save JSON", tmp_path)
        assert "**Maren Holt**" in text.read_text(encoding="utf-8")
        turns = json.loads(exported.read_text(encoding="utf-8"))["turns"]
        assert [turn["question"] for turn in turns][1:] == [
            "Why?",
            "Who is the new keeper of the museum in Stonewick?",
        ]
        steps.append(f"Saved {text.name} and {exported.name}")

        # The page is still open, and the server stops all the same.
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
        assert "Traceback" not in (tmp_path / "errors.txt").read_text(encoding="utf-8")
        page.unroute_all(behavior="ignoreErrors")
        page.goto("about:blank")
    assert not list((tmp_path / "scratch").glob("extractive-qa-*")), "what was added is gone"
    command = [sys.executable, "-m", "qa.verify", str(exported), "--corpus", str(corpus), "--corpus", str(tmp_path)]
    verified = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert verified.returncode == 0 and "BAD" not in verified.stdout, verified.stdout
    assert "Stonewick.pdf" in verified.stdout
    steps.append(f"python -m qa.verify {exported.name}: {verified.stderr.strip()}")
    listed = "".join(f"{number}. {step}\n" for number, step in enumerate(steps, 1))
    (tmp_path / "steps.txt").write_text(listed, encoding="utf-8")
    assert listed in (ROOT / "README.md").read_text(encoding="utf-8"), listed


def test_the_guard_of_the_server_does_guard(tmp_path: Path) -> None:
    reaching = _GUARD.replace("runpy.run_module", 'socket.create_connection(("192.0.2.1", 80), 1); runpy.run_module')
    done = subprocess.run([sys.executable, "-c", reaching, str(tmp_path / "tried")], capture_output=True, text=True)
    assert "blocked" in done.stderr and "192.0.2.1" in (tmp_path / "tried").read_text()


EVIL = """<img src=x onerror="window.hacked=1"><script>window.hacked=2</script>"""
LINK = "[here](javascript:window.hacked=3) ![](http://example.com/x.png) <a href='javascript:window.hacked=4'>there</a>"
NAMES = {
    "html": "<img src=x onerror='window.hacked=5'> & &lt;b&gt; Quorvane.html",
    "md": "[Brindlow](javascript:window.hacked=6) `${window.hacked=7}` {{value}}.md",
    "ansi": "\x1b[31mred\x07 \u202eTesmond\n.txt",
    "long": "Ardwick \"><svg onload='window.hacked=8'>.txt",
    "pdf": "'onmouseover='window.hacked=9' Ulverton.pdf",
}


def write_hostile(folder: Path) -> None:
    """One file of each kind of harm, each telling who keeps its own lighthouse."""
    folder.mkdir()

    def fact(town: str) -> str:
        return f"The keeper of the lighthouse at {town} is Ann{town} Osgood {LINK}, says the town."

    escaped = EVIL.replace("<", "&lt;").replace(">", "&gt;")
    (folder / NAMES["html"]).write_text(
        f"<title>{escaped} title</title><h1>{escaped} lights</h1><script>window.hacked=10</script>"
        f"<p onclick='window.hacked=11'>{fact('Quorvane').replace('<', '&lt;')}</p><iframe src='http://example.com'>"
    )
    (folder / NAMES["md"]).write_text(f"# {EVIL} {LINK}\n\n{fact('Brindlow')}\n\n<iframe src='x'></iframe>\n")
    (folder / NAMES["ansi"]).write_text(f"\x1b]0;title\x07 {EVIL}\n\n\x1b[31m{fact('Tesmond')}\x1b[0m \u202ereversed\n")
    (folder / NAMES["long"]).write_text(f"{EVIL}\n\n{fact('Ardwick')} " + "long<b>" * 15_000 + "\n")
    line = "The keeper of the lighthouse at Ulverton is AnnUlverton Osgood, says the town."
    (folder / NAMES["pdf"]).write_bytes(pdf([[EVIL.replace("(", "")[:60], "", line]], title=EVIL[:30]))


@pytest.mark.parametrize("width", [1280, 390])
def test_a_corpus_that_means_harm_is_shown_as_text(browser: Browser, tmp_path: Path, width: int) -> None:
    corpus = tmp_path / "corpus"
    write_hostile(corpus)

    def is_only_text(page: Page) -> None:
        assert page.evaluate("window.hacked ?? null") is None
        assert (
            page.locator("#panes :is(script, img, iframe, a, object, form, svg[onload], [onerror], [onclick])").count()
            == 0
        )
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    with (
        running(corpus, tmp_path, free_port()) as server,
        opened(browser, server, viewport={"width": width, "height": 800}) as page,
    ):
        is_only_text(page)  # the headlines are among the example questions
        read: set[str] = set()
        for town in ["Quorvane", "Brindlow", "Tesmond", "Ardwick", "Ulverton"]:
            question = f"Who is the keeper of the lighthouse at {town}? {EVIL} {LINK} \x1b[31m"
            ask(page, question)
            turn = page.locator("#log .turn").last
            assert turn.locator(".question bdi").inner_text() == f"{question[:-5]}U+001B[31m"
            for card in range(page.locator("#sources .card").count()):
                page.locator("#sources .card .number").nth(card).click()
                expect(page.locator("#document .page")).to_be_visible()
                where = place(page)
                name = next(name for name in NAMES.values() if named(name) in where)
                text = page.locator("#document .text").evaluate("element => element.textContent")
                assert text == named(read_document(corpus / name, corpus).text)
                is_only_text(page)
                page.keyboard.press("Escape")
                expect(page.locator("#document .page")).to_have_count(0)
                read.add(name)
        assert read == set(NAMES.values())
        page.get_by_role("button", name="Documents").click()
        for name in NAMES.values():
            expect(page.locator("#listing .documents")).to_contain_text(named(name))
        page.get_by_label("Search only in").click()
        expect(page.get_by_role("option")).to_have_count(len(NAMES))
        assert page.locator("[role=option] :is(script, img, a, iframe, svg[onload])").count() == 0
        is_only_text(page)
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")
        is_only_text(page)
        page.locator("#files input[type=file]").set_input_files([corpus / NAMES["html"], corpus / NAMES["long"]])
        expect(page.locator("#listing .own li")).to_have_count(2)
        is_only_text(page)
        for button in ("Save text", "Save JSON"):
            save(page, button, tmp_path)
        is_only_text(page)


def named(text: str) -> str:
    """`text` as a page shows it: control and direction characters by their names."""
    return _UNSEEN.sub(lambda m: f"U+{ord(m[0]):04X}", text)


def test_a_file_that_changed_is_told_of_and_never_marked_and_can_be_asked_anew(
    browser: Browser, tmp_path: Path
) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    file, before = corpus / "museum.txt", "\n\n".join(MUSEUM)
    file.write_text(before)
    with running(corpus, tmp_path, free_port()) as server, opened(browser, server) as page:
        ask(page, "Who is the new keeper of the museum in Stonewick?")
        expect(page.locator("#log .stale")).to_have_count(0)
        file.write_text(before.replace("Its new keeper is Maren Holt", "After much ado its new keeper is Piet Anders"))
        page.locator("#log .number").first.click()
        for part in ("#document", "#log", "#sources"):
            expect(page.locator(f"{part} .stale").first).to_contain_text("Changed since it was indexed.")
        assert page.locator("mark").count() == 0

        page.locator("#document").get_by_role("button", name="Look for changes and ask again").click()
        expect(page.locator("#log .answer > .words strong")).to_have_text("Piet Anders")
        expect(page.locator("#panes .stale")).to_have_count(0)
        expect(page.locator("#log .turn")).to_have_count(1)
        page.locator("#log .number").first.click()
        expect(page.locator("#cited")).to_have_text("Piet Anders")
        page.keyboard.press("Escape")

        file.write_text(before)  # before it is asked: what is answered from the index says so at once
        ask(page, "Who is the new keeper of the museum?")
        expect(page.locator("#log .turn").last.locator(".stale")).to_be_visible()
        file.unlink()
        page.locator("#log .turn").last.get_by_role("button", name="Look for changes and ask again").click()
        expect(page.locator("#log .turn").last).to_contain_text("The documents do not answer this.")
        page.locator("#log .turn").first.locator(".number").first.click()
        expect(page.locator("#document .stale")).to_contain_text("This document is no longer in the index.")
