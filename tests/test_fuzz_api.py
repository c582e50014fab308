"""Fuzzes the HTTP API of a real server with a real index and reader: any JSON as its inputs, any bytes as a request."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from test_app_fakes import GRADIO_WARNINGS, launched
from test_fuzz import JSON, LONG, QUERIES, SHORT

from qa import Pipeline
from tests.conftest import ROOT

pytestmark = GRADIO_WARNINGS
QUESTION = "What was closed on Monday?"
PATHS = st.lists(st.sampled_from(["dam.txt", "../dam.txt", "/etc/hostname", "\0", ""]), max_size=3)
FILE = st.just({"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}})
INPUTS = st.tuples(
    st.just(QUESTION) | QUERIES | JSON | FILE,
    st.integers(-1, 60) | st.integers() | JSON,
    st.none() | PATHS | JSON | FILE,
).map(list)
"""What `ask` and `search` take, each in the right place, and what they do not."""
ENDPOINTS = st.sampled_from(["ask", "search"])
BODIES = st.binary(max_size=40) | (JSON | st.fixed_dictionaries({"data": JSON})).map(lambda v: json.dumps(v).encode())


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("api")
    for folder in ("corpus", "uploads"):
        (place / folder).mkdir()
    for name in ("dam", "mill"):
        (place / "corpus" / f"{name}.txt").write_text(f"The {name}\n\nThe {name} on the river was closed on Monday.\n")
    pipeline = Pipeline.open(place / "corpus", index=place / "index", encoder="light", threshold=0.0)
    with launched(pipeline, place / "corpus", place / "uploads") as address:
        yield address


@pytest.fixture(scope="module")
def answered(address: str) -> str:
    """What the plain question gets from a server that nobody has troubled."""
    event, told = call(address, "ask", body(QUESTION, 5, None))
    assert event == "complete" and "Monday" in told
    return told


def body(*inputs: object) -> bytes:
    return json.dumps({"data": inputs}).encode()


def call(address: str, endpoint: str, sent: bytes) -> tuple[str, str]:
    """How the call ended, as the last event or the refusal's status, and what was told with it."""
    place, headers = f"{address}gradio_api/call/{endpoint}", {"content-type": "application/json"}
    asked = httpx.post(place, content=sent, headers=headers, timeout=60)
    if asked.status_code != 200:
        return str(asked.status_code), asked.text
    told = httpx.get(f"{place}/{asked.json()['event_id']}", timeout=60)
    event, data = told.text.rstrip().splitlines()[-2:]
    return event.removeprefix("event: "), data.removeprefix("data: ")


def check_inputs(address: str, endpoint: str, inputs: list[object], answered: str) -> None:
    event, told = call(address, endpoint, body(*inputs))
    assert "Traceback" not in told and str(ROOT) not in told
    if "FileData" in json.dumps(inputs):  # Gradio's own refusal of a path that nobody uploaded, without words
        assert event == "error"
    elif event == "error":
        assert json.loads(told)["error"], "an error is told in words"
    else:
        assert event == "complete"
        assert isinstance(json.loads(told)[0], dict if endpoint == "ask" else list)
    assert call(address, "ask", body(QUESTION, 5, None)) == ("complete", answered)


def check_body(address: str, endpoint: str, sent: bytes, answered: str) -> None:
    event, told = call(address, endpoint, sent)
    assert event in ("complete", "error", "400", "404", "422") and "Traceback" not in told
    assert call(address, "ask", body(QUESTION, 5, None)) == ("complete", answered)


@SHORT
@given(endpoint=ENDPOINTS, inputs=INPUTS)
@example(endpoint="ask", inputs=[QUESTION, "5", None])
@example(endpoint="search", inputs=[QUESTION, True, None])
@example(endpoint="ask", inputs=[QUESTION, 5, [["dam.txt"]]])
@example(endpoint="search", inputs=[None, 5, 1.5])
@example(endpoint="ask", inputs=["\ud800", 10**30, ["../dam.txt"]])
def test_any_inputs_are_answered_or_refused_in_words(
    address: str, answered: str, endpoint: str, inputs: list[object]
) -> None:
    check_inputs(address, endpoint, inputs, answered)


@SHORT
@given(endpoint=ENDPOINTS, sent=BODIES)
@example(endpoint="ask", sent=b"[" * 100_000)
@example(endpoint="search", sent=b'{"data": []}')
@example(endpoint="ask", sent=b"Infinity")
def test_any_request_leaves_the_server_well(address: str, answered: str, endpoint: str, sent: bytes) -> None:
    check_body(address, endpoint, sent, answered)


@pytest.mark.soak
@LONG
@given(endpoint=ENDPOINTS, inputs=INPUTS)
def test_any_inputs_for_long(address: str, answered: str, endpoint: str, inputs: list[object]) -> None:
    check_inputs(address, endpoint, inputs, answered)


@pytest.mark.soak
@LONG
@given(endpoint=ENDPOINTS, sent=BODIES)
def test_any_request_for_long(address: str, answered: str, endpoint: str, sent: bytes) -> None:
    check_body(address, endpoint, sent, answered)
