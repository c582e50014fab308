"""The chat in Debian's Chromium: what a person does and sees, by mouse and by keyboard."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from app_process import CHROMIUM, CHROMIUM_OPTIONS, ask, block_others
from gradio_client import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright
from test_app_fakes import GRADIO_WARNINGS, HOSTILE, FakePipeline, served

from app.chat import WAITING

pytestmark = [pytest.mark.browser, *GRADIO_WARNINGS]

FOCUSED = "document.activeElement"


@pytest.fixture(scope="module")
def pipeline() -> FakePipeline:
    return FakePipeline()


@pytest.fixture(scope="module")
def address(pipeline: FakePipeline) -> Iterator[str]:
    with served(pipeline) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        message = "Chromium is not installed: apt-get install chromium"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def outside() -> list[str]:
    """The requests to anywhere but this machine; there must be none."""
    return []


@pytest.fixture(params=["light-1280", "dark-390"])
def page(request: pytest.FixtureRequest, browser: Browser, address: str, outside: list[str]) -> Iterator[Page]:
    """A new page of a new session, wide and light or narrow and dark; fails on errors and requests to elsewhere."""
    scheme, width = request.param.split("-")
    context = browser.new_context(viewport={"width": int(width), "height": 800}, color_scheme=scheme)
    page, errors = context.new_page(), []
    block_others(context, outside)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("dialog", lambda dialog: errors.append(f"dialog {dialog.message}"))
    page.goto(address)
    expect(page.get_by_role("textbox", name="Your question")).to_be_focused()
    yield page
    found, expected = page.evaluate("window.hacked ?? null"), errors
    context.close()
    assert found is None and not expected and not outside


def seen(page: Page, selector: str) -> bool:
    """Whether the middle of an element is what is seen at its place."""
    return page.evaluate(
        """selector => {
            const element = document.querySelector(selector), box = element.getClientRects()[0];
            const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
            return element === top || element.contains(top);
        }""",
        selector,
    )


def test_enter_asks_and_the_answer_stands_in_its_sentence_beside_its_sources(page: Page) -> None:
    ask(page, "What was agreed?")
    expect(page.locator("#log .words strong").first).to_have_text("six per cent")
    expect(page.locator("#log .words").first).to_contain_text("They agreed on six per cent, said the mediator")
    expect(page.locator("#sources .card")).to_have_count(3)
    expect(page.locator("#sources mark")).to_have_text(["six per cent", "six per cent", "nine per cent"])
    expect(page.get_by_role("textbox", name="Your question")).to_be_focused()
    expect(page.get_by_role("textbox", name="Your question")).to_have_value("")


def test_a_citation_opens_the_document_at_the_marked_words_and_escape_closes_it(page: Page) -> None:
    ask(page, "What was agreed?")
    page.locator("#log .number").first.click()
    expect(page.locator("#cited")).to_have_text("six per cent")
    expect(page.locator("#cited")).to_be_in_viewport()
    assert seen(page, "#cited")
    assert page.evaluate("document.querySelector('#document .text').scrollTop") > 100
    expect(page.locator("#document .sentence").first).to_have_text("They agreed on ")
    page.keyboard.press("Escape")
    expect(page.locator("#document .page")).to_have_count(0)
    expect(page.locator("#log .number").first).to_be_focused()


def test_what_is_typed_right_after_a_document_is_closed_is_asked(page: Page) -> None:
    ask(page, "What was agreed?")
    page.locator("#log .number").first.click()
    expect(page.locator("#document .page")).to_be_visible()
    page.evaluate("window.requestAnimationFrame = (then) => setTimeout(then, 300)")  # as on a busy machine
    page.keyboard.press("Escape")
    page.get_by_role("textbox", name="Your question").fill("What was agreed?")
    page.wait_for_timeout(400)
    page.keyboard.press("Enter")
    expect(page.locator("#log article")).to_have_count(2)


def test_everything_goes_by_keyboard(page: Page) -> None:
    ask(page, "What was agreed?")
    page.locator("#log .number").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(f"{FOCUSED}.dataset.place") == "1"
    page.keyboard.press("Enter")
    expect(page.locator("#document h2")).to_have_text("Strike ends after five days")
    expect(page.locator("#document .text")).to_be_focused()
    expect(page.locator("#log .number").nth(1)).to_have_attribute("aria-current", "true")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#cited")).to_have_text("nine per cent")
    for place in ("2 of 3", "1 of 3"):
        page.keyboard.press("ArrowLeft")
        expect(page.locator("#document .of")).to_have_text(place)
    page.keyboard.press("Escape")
    expect(page.locator("#document .page")).to_have_count(0)
    page.get_by_role("textbox", name="Your question").focus()
    wanted, reached = {"number BUTTON", "confidence SPAN", " SUMMARY"}, set()
    for _ in range(40):  # more than the page has: closing the document may put the focus back once on the way
        page.keyboard.press("Shift+Tab")
        reached.add(page.evaluate(f"{FOCUSED}.className + ' ' + {FOCUSED}.tagName"))
    assert wanted <= reached


def test_no_answer_is_said(page: Page) -> None:
    ask(page, "Where is the moon?")
    expect(page.locator("#log .answer")).to_contain_text("The documents do not answer this.")
    expect(page.locator("#sources h2")).to_have_text("Related, not an answer")
    expect(page.locator("#sources mark")).to_have_count(0)


def test_a_follow_up_is_understood_and_can_be_undone(page: Page, pipeline: FakePipeline) -> None:
    ask(page, "What was agreed?")
    ask(page, "Why?")
    expect(page.locator("#log .understood")).to_contain_text("understood as: Why <did> the mediator?")
    assert pipeline.histories[-1] == 1
    page.get_by_role("button", name="Ask it as I typed it").click()
    expect(page.locator("#log .turn").last).to_contain_text("The documents do not answer this.")
    expect(page.locator("#log .turn")).to_have_count(2)
    assert pipeline.histories[-1] == 0


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("", "Please write a question."),
        (" \n ", "Please write a question."),
        ("x" * 10_001, "The question has 10,001 characters"),
    ],
)
def test_bad_input_is_answered_with_a_clear_message(page: Page, question: str, message: str) -> None:
    page.get_by_role("textbox", name="Your question").fill(question)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text(message)
    expect(page.get_by_role("textbox", name="Your question")).to_have_value(question)
    assert "Traceback" not in page.content()
    ask(page, "What was agreed?")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_what_is_asked_before_the_last_answer_came_has_its_turn_after_it(page: Page, pipeline: FakePipeline) -> None:
    box = page.get_by_role("textbox", name="Your question")
    pipeline.gate.clear()
    try:
        box.fill("Who mediated?")
        page.keyboard.press("Enter")
        expect(box).to_have_value("")
        box.fill("What was agreed?")
        page.keyboard.press("Enter")
        expect(page.locator("#log .searching")).to_have_count(1)
    finally:
        pipeline.gate.set()
    expect(page.locator("#log .turn h2 bdi")).to_have_text(["Who mediated?", "What was agreed?"])
    assert pipeline.histories[-2:] == [0, 1]


def test_enter_pressed_twice_asks_once(page: Page, pipeline: FakePipeline) -> None:
    pipeline.gate.clear()
    try:
        page.get_by_role("textbox", name="Your question").fill("Who mediated?")
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        expect(page.locator("#log .searching")).to_have_count(1)
    finally:
        pipeline.gate.set()
    ask(page, "What was agreed?")
    expect(page.locator("#log .turn h2 bdi")).to_have_text(["Who mediated?", "What was agreed?"])
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_mistake_in_the_program_is_told_without_a_traceback(page: Page) -> None:
    page.get_by_role("textbox", name="Your question").fill("crash")
    page.keyboard.press("Enter")
    expect(page.locator("#log .problem")).to_contain_text("Something went wrong, and your question was not answered.")
    expect(page.get_by_role("textbox", name="Your question")).to_have_value("crash")
    assert "Traceback" not in page.content() and "mistake in the program" not in page.content()


def test_when_too_many_wait_the_next_is_told_so_and_keeps_the_question(
    browser: Browser, address: str, pipeline: FakePipeline
) -> None:
    page = browser.new_page()
    page.goto(address)
    programs = Client(address, verbose=False, analytics_enabled=False)
    pipeline.gate.clear()
    try:
        jobs = [programs.submit("who mediated?", api_name="/ask") for _ in range(WAITING + 2)]
        while not any(job.done() for job in jobs):  # the first that is refused
            time.sleep(0.05)
        page.get_by_role("textbox", name="Your question").fill("What was agreed?")
        page.keyboard.press("Enter")
        said = f"Busy: as many questions are waiting as may ({WAITING}), so yours was not taken."
        expect(page.locator("#log .problem")).to_contain_text(said)
        expect(page.get_by_role("textbox", name="Your question")).to_have_value("What was agreed?")
    finally:
        pipeline.gate.set()
    assert sum(job.exception(30) is not None for job in jobs) >= 1
    page.keyboard.press("Enter")
    expect(page.locator("#log .words strong").first).to_have_text("six per cent")
    page.close()


def test_hostile_documents_are_shown_as_text(page: Page) -> None:
    ask(page, "What is the code?")
    expect(page.locator("#log .words")).to_contain_text('<img src=x onerror="window.hacked = 2"> ${window.hacked = 3}')
    page.locator("#log .number").last.click()
    expect(page.locator("#cited")).to_contain_text(
        "{{value}} `x` U+001B[31mredU+0007 [link](javascript:alert(1)) </span>"
    )
    shown = page.locator("#document .text").evaluate("element => element.textContent")
    assert shown == HOSTILE.replace("\u202e", "U+202E").replace("\x1b", "U+001B").replace("\x07", "U+0007")
    assert page.locator("#panes :is(script, img, iframe, a)").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_example_asks_and_a_new_conversation_forgets(page: Page, pipeline: FakePipeline) -> None:
    page.locator(".welcome button").first.click()
    expect(page.locator("#log .answer")).to_have_count(1)
    expect(page.locator("#log .question")).to_contain_text("Ferry crews strike over pay in Port Ellery")
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator("#log .welcome")).to_be_visible()
    ask(page, "What was agreed?")
    assert pipeline.histories[-1] == 0


def test_two_people_never_see_each_others_questions(page: Page, browser: Browser, address: str) -> None:
    ask(page, "What was agreed?")
    other = browser.new_page()
    other.goto(address)
    expect(other.locator("#log .welcome")).to_be_visible()
    ask(other, "Who mediated?")
    expect(other.locator("#log .turn")).to_have_count(1)
    other.close()


def test_the_page_is_whole_without_any_other_machine(page: Page, outside: list[str]) -> None:
    ask(page, "What was agreed?")
    assert page.evaluate("getComputedStyle(document.querySelector('#log .number')).borderRadius") == "12px"
    assert "system-ui" in page.evaluate("getComputedStyle(document.querySelector('#log')).fontFamily")
    assert not outside
