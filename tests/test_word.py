from __future__ import annotations

import formats
from formats import blocks, refusal

from index.documents import Anchor, parse


def test_a_word_file_is_read_in_order_with_its_tables():
    document = parse(formats.word(), "a.docx")
    assert (document.title, document.date) == ("The mills of Ardal", None)
    assert blocks(document) == [
        *("The mills of Ardal", "The first mill", formats.PARAGRAPHS[0], "Year | Event", "1901: the fire"),
        *("The fire", formats.PARAGRAPHS[1]),
    ]
    assert document.anchor(len(document.text) - 1) == Anchor(None, None, "The fire", 4)


def test_inserted_words_and_content_controls_of_a_word_file_are_read_and_deleted_ones_not():
    run = b"<w:r><w:t xml:space='preserve'>%s</w:t></w:r>"
    body = (
        b"<w:sdt><w:sdtPr/><w:sdtContent><w:p>" + run % b"controlled" + b"</w:p></w:sdtContent></w:sdt>"
        b"<w:p>" + run % b"kept " + b"<w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
        b"<w:ins>" + run % b"inserted" + b"</w:ins></w:p></w:body></w:document>"
    )
    package = formats.with_entry(formats.word(), "word/document.xml", formats.WORD_START + body)
    assert parse(package, "a.docx").text == "controlled\n\nkept inserted"


def test_a_zip_bomb_is_refused_before_it_is_unpacked():
    bomb = formats.with_entry(formats.word(), "word/media/image.png", bytes(201_000_000))
    assert len(bomb) < 1_000_000
    assert "unpacks to over 200 MB" in refusal(bomb, "a.docx")
