"""Takes the README's screenshots of the chat over tests/corpus: `python tests/screenshots.py`."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from app_process import CHROMIUM, CHROMIUM_OPTIONS, ROOT, ask, block_others, free_port, running
from PIL import Image
from playwright.sync_api import Page, sync_playwright

PLACE = ROOT / "app" / "screenshots"
WIDE, PHONE = {"width": 1280, "height": 760}, {"width": 390, "height": 760}
COLOURS = 96


def take(page: Page, name: str) -> None:
    """Store what is seen, in few colours."""
    page.mouse.move(0, 0)
    page.wait_for_timeout(600)
    image = Image.open(io.BytesIO(page.screenshot()))
    image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(PLACE / f"{name}.png", optimize=True)


def main() -> None:
    """Take them all."""
    PLACE.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running(ROOT / "tests" / "corpus", Path(folder), free_port()) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)

        def page(size: dict[str, int], scheme: str) -> Page:
            context = browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
            block_others(context, [])
            new = context.new_page()
            new.goto(server.address)
            return new

        wide = page(WIDE, "light")
        ask(wide, "Who led the blockade of the silos?")
        take(wide, "asked")
        ask(wide, "When will the mayoral election be repeated?")
        ask(wide, "Why?")
        take(wide, "cited")
        wide.locator("#log .turn").last.locator(".number").first.click()
        wide.locator("#cited").wait_for()
        take(wide, "document")
        wide.keyboard.press("Escape")
        wide.get_by_role("button", name="New conversation").click()
        wide.locator(".welcome").wait_for()
        ask(wide, "Where did Ilse Dornan study law?")
        take(wide, "no-answer")

        phone = page(PHONE, "light")
        ask(phone, "Who led the blockade of the silos?")
        take(phone, "phone")

        dark = page(WIDE, "dark")
        ask(dark, "Who led the blockade of the silos?")
        dark.locator("#log .number").first.click()
        dark.locator("#cited").wait_for()
        take(dark, "dark")
        browser.close()


if __name__ == "__main__":
    main()
