"""Requests with an odd boundary, or an odd frame of the multipart body."""

from collections.abc import Iterator

from tests.corpus.http_requests.message import (
    BOUNDARY,
    DIGIT,
    FIELDS,
    MULTIPART,
    Request,
    form,
    good,
    part,
    post,
)


def boundaries(path: str) -> Iterator[Request]:
    field = FIELDS[path]

    def bounded(name: str, parameter: bytes, boundary: bytes, *statuses: int) -> Request:
        return post(
            name,
            path,
            form(part(field, DIGIT), boundary=boundary),
            *statuses,
            content_type=MULTIPART + parameter,
        )

    yield bounded("quoted boundary", b'; boundary="abc"', b"abc", 200)
    yield bounded("quoted boundary with a space", b'; boundary="a b"', b"a b")
    yield bounded("quoted boundary with a backslash", rb'; boundary="a\"b"', b'a"b')
    yield bounded("boundary of odd characters", b"; boundary='()+_,-./:=?", b"'()+_,-./:=?")
    yield bounded("boundary of one character", b"; boundary=x", b"x", 200)
    yield bounded("boundary of 70 characters", b"; boundary=" + b"b" * 70, b"b" * 70, 200)
    yield bounded("boundary of 71 characters", b"; boundary=" + b"b" * 71, b"b" * 71)
    yield bounded("boundary of 5000 characters", b"; boundary=" + b"b" * 5000, b"b" * 5000, 400)
    yield bounded("boundary of dashes", b"; boundary=----", b"----")
    yield bounded("boundary of bytes", b"; boundary=\xe9\xff", b"\xe9\xff")
    yield bounded("boundary with a line end", b"; boundary=a\r\nb", b"a\r\nb")
    yield bounded("no boundary", b"", BOUNDARY, 400)
    yield bounded("empty boundary", b"; boundary=", b"", 400)
    yield bounded("empty quoted boundary", b'; boundary=""', b"", 400)
    yield bounded("boundary of another case", b"; boundary=ABC", b"abc", 400)
    yield bounded("another boundary", b"; boundary=abc", b"xyz", 400)
    yield bounded("boundary that is the body's beginning", b"; boundary=ab", b"abc", 400)
    yield bounded("two boundaries", b"; boundary=abc; boundary=xyz", b"xyz")
    yield bounded("boundary with a star", b"; boundary*=utf-8''abc", b"abc")
    yield bounded("boundary with a space before it", b"; boundary= abc", b"abc")
    yield bounded("boundary with a space after it", b"; boundary=abc ", b"abc")
    yield bounded("no space before the boundary", b";boundary=abc", b"abc", 200)
    yield bounded("tabs before the boundary", b";\t\tboundary=abc", b"abc")
    yield bounded("boundary's name in capitals", b"; BOUNDARY=abc", b"abc", 200)
    yield bounded("a parameter before the boundary", b"; charset=utf-8; boundary=abc", b"abc")
    yield bounded("a parameter after the boundary", b"; boundary=abc; charset=utf-8", b"abc")
    yield bounded("an unknown charset", b"; boundary=abc; charset=nonsense", b"abc")
    yield bounded("a charset that fails", b"; boundary=abc; charset=idna", b"abc")
    yield bounded("UTF-16", b"; boundary=abc; charset=utf-16", b"abc")
    yield bounded("semicolons only", b";;; boundary=abc;;", b"abc")
    for name, content_type in {
        "multipart in capitals": b"MULTIPART/Form-Data; boundary=" + BOUNDARY,
        "multipart with a space before it": b" " + MULTIPART + b"; boundary=" + BOUNDARY,
    }.items():
        yield post(name, path, good(path), content_type=content_type)


def bodies(path: str) -> Iterator[Request]:
    """Multipart bodies with something odd about their frame."""
    field = FIELDS[path]
    image = part(field, DIGIT)
    body = form(image)
    close = b"--" + BOUNDARY + b"--"
    framed = {
        "preamble": b"This is a message in multipart format.\r\n" + body,
        "line end before the first boundary": b"\r\n" + body,
        "epilogue": body + b"An epilogue.\r\n",
        "a second message after": body + body,
        "no line end at the end": form(image, end=close),
        "garbage right after the end": form(image, end=close + b"garbage"),
        "one dash at the end": form(image, end=close[:-1]),
        "no final boundary": form(image, end=b""),
        "cut within the final boundary": form(image, end=close[:9]),
        "cut within the image": body[: len(body) // 2],
        "cut within the part's headers": body[:60],
        "cut before the image": body[: body.index(b"\r\n\r\n") + 4],
        "only a final boundary": close + b"\r\n",
        "only a boundary": b"--" + BOUNDARY + b"\r\n",
        "empty body": b"",
        "line ends without CR": form(part(field, DIGIT, line=b"\n"), line=b"\n"),
        "CR without LF": form(part(field, DIGIT, line=b"\r"), line=b"\r"),
        "spaces after the boundary": body.replace(BOUNDARY + b"\r\n", BOUNDARY + b" \t\r\n", 1),
        "letters after the boundary": body.replace(BOUNDARY + b"\r\n", BOUNDARY + b"x\r\n", 1),
        "three dashes before the boundary": b"-" + body,
        "one dash before the boundary": body[1:],
        "boundary within the data": form(part(field, DIGIT + b"--" + BOUNDARY)),
        "boundary within the data, in a line": form(
            part(field, DIGIT + b"\r\n--" + BOUNDARY + b"x" + DIGIT)
        ),
        "boundary within the data, after LF": form(
            part(field, DIGIT + b"\n--" + BOUNDARY + b"\nx")
        ),
        "end within the data": form(part(field, DIGIT + b"\r\n" + close + b"\r\n")),
        "data that ends with a line end": form(part(field, DIGIT + b"\r\n")),
        "data that ends with CR": form(part(field, DIGIT + b"\r")),
        "data that ends with dashes": form(part(field, DIGIT + b"\r\n--")),
        "zeros only": bytes(500),
        "1200 parts": form(*[part(field, b"")] * 1200),
        "1200 fields": form(
            *[
                part(f"f{number}", b"", disposition=b'form-data; name="f"')
                for number in range(1200)
            ],
            image,
        ),
        "1 MB of part headers": form(
            part(field, DIGIT, before=b"X-Large: " + b"a" * 2**20 + b"\r\n")
        ),
        "2000 part headers": form(part(field, DIGIT, before=b"X-Many: 1\r\n" * 2000)),
    }
    fine = {
        "epilogue",
        "no line end at the end",
        "data that ends with a line end",
        "data that ends with CR",
    }
    for name, raw in framed.items():
        yield post(name, path, raw, *([200] if name in fine else []))
