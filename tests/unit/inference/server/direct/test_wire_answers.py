"""Wire answers: whole responses of JSON and of other types."""

import pytest

from inference.server.direct.wire_answers import DirectAnswer, WireAnswer, encode_answer


@pytest.mark.parametrize(
    ("answer", "content_type", "body"),
    [
        (b"{}", b"application/json", b"{}"),
        (WireAnswer(b"content-type: a/b\r\nx: y\r\n", b"body"), b"a/b\r\nx: y", b"body"),
    ],
)
def test_answer_is_a_whole_response(answer: DirectAnswer, content_type: bytes, body: bytes) -> None:
    kept = encode_answer(answer, b"an-id", [(b"date", b"today")], is_last=False)
    assert kept == (
        b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n"
        b"x-request-id: an-id\r\ndate: today\r\n\r\n%b" % (content_type, len(body), body)
    )
    last = encode_answer(answer, b"an-id", [], is_last=True)
    assert b"\r\nconnection: close\r\n\r\n" in last
