from __future__ import annotations

from formats import BODY, blocks

from index.documents import parse

MARKDOWN = f"""---
title: "The mills"
date: 2024-03-12
---

# The **first** mill #

{BODY}

The fire
--------

- one
  - inner
- two

```py
# no heading

x = 1
```

| Year | Event |
|------|-------|
| 1901 | fire  |

> quoted
> twice

See also: [other](x.md)
"""


def test_markdown_blocks_are_ranges_of_the_source():
    document = parse(MARKDOWN.encode(), "a.md")
    assert document.text == MARKDOWN
    assert (document.title, document.date) == ("The mills", "2024-03-12")
    assert blocks(document, "heading") == ["The **first** mill", "The fire"]
    assert blocks(document, "paragraph") == [
        BODY,
        "- one\n  - inner",
        "- two",
        "```py\n# no heading\n\nx = 1\n```",
        "| Year | Event |\n|------|-------|\n| 1901 | fire  |",
        "> quoted\n> twice",
    ]
    assert blocks(document, "aside")[1:] == ["See also: [other](x.md)"]


def test_the_first_heading_of_level_one_is_the_title_of_markdown():
    assert parse(b"## Part\n\ntext\n\n# *Whole*\n\ntext", "a.md").title == "Whole"
    assert parse(b"text only", "read-me.md").title == "Read me"
    assert blocks(parse(b"# C#\n\n# ## ##\n\n#\n\nx", "a.md"), "heading")[0] == "C#"
