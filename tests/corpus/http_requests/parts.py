"""Requests whose parts have odd headers, or are of an odd number."""

from collections.abc import Iterator

from tests.corpus.http_requests.message import (
    DIGIT,
    FIELDS,
    FIRST,
    INFERENCE,
    Request,
    form,
    part,
    post,
)


def parts(path: str) -> Iterator[Request]:
    """Parts with something odd about their headers, and odd numbers of them."""
    field = FIELDS[path]
    quoted = b'form-data; name="%b"' % field.encode()
    dispositions = {
        "no filename": quoted,
        "empty filename": quoted + b'; filename=""',
        "filename without quotes": quoted + b"; filename=7.png",
        "filename with a star": quoted + b"; filename*=UTF-8''%e2%82%ac.png",
        "filename both ways": quoted + b"; filename=\"a.png\"; filename*=UTF-8''b.png",
        "filename with a star that is broken": quoted + b"; filename*=nonsense",
        "filename with quotes": quoted + rb'; filename="a\"b.png"',
        "filename with an open quote": quoted + b'; filename="a.png',
        "filename with a backslash": quoted + rb'; filename="C:\digits\7.png"',
        "filename that ends with a backslash": quoted + rb'; filename="a\"',
        "filename with a semicolon": quoted + b'; filename="a;b.png"',
        "filename that names the field": b'form-data; name="other"; filename="x; name='
        + field.encode()
        + b'"',
        "filename that names another field": quoted + rb'; filename="a\"; name=\"other"',
        "filename in UTF-8": quoted + b'; filename="\xe2\x82\xac\xf0\x9f\x98\x80.png"',
        "filename in Latin-1": quoted + b'; filename="\xe9\xff.png"',
        "filename with a line end": quoted + b'; filename="a\nb.png"',
        "filename with CR LF": quoted + b'; filename="a\r\nX: b.png"',
        "filename with a zero": quoted + b'; filename="a\x00.png"',
        "filename with a path": quoted + b'; filename="../../etc/passwd"',
        "filename of 10,000 letters": quoted + b'; filename="' + b"a" * 10_000 + b'"',
        "filename first": b'form-data; filename="a.png"; name="%b"' % field.encode(),
        "name without quotes": b"form-data; name=%b; filename=a" % field.encode(),
        "name in capitals": b'form-data; name="%b"; filename="a"' % field.upper().encode(),
        "name with a space": b'form-data; name="%b "; filename="a"' % field.encode(),
        "name with brackets": b'form-data; name="%b[]"; filename="a"' % field.encode(),
        "name with a star": b"form-data; name*=utf-8''%b; filename=\"a\"" % field.encode(),
        "name percent-encoded": b'form-data; name="%%69%b"; filename="a"' % field[1:].encode(),
        "name twice": quoted + b'; name="other"; filename="a"',
        "another name": b'form-data; name="other"; filename="a"',
        "the other operation's name": b'form-data; name="%b"; filename="a"'
        % (b"images" if path == INFERENCE else b"image_blob"),
        "empty name": b'form-data; name=""; filename="a"',
        "no name": b'form-data; filename="a"',
        "attachment": b'attachment; name="%b"; filename="a"' % field.encode(),
        "disposition in capitals": b'FORM-DATA; NAME="%b"; FILENAME="a"' % field.encode(),
        "disposition with an unknown parameter": quoted + b'; filename="a"; size=7',
        "disposition without spaces": b'form-data;name="%b";filename="a"' % field.encode(),
        "empty disposition": b" ",
        "no disposition": b"",
    }
    refused = {
        "another name",
        "filename that names the field",
        "empty name",
        "name in capitals",
    }
    taken = {
        "the other operation's name",
        "filename without quotes",
        "filename first",
        "filename with a path",
        "filename in UTF-8",
        "filename with a semicolon",
    }
    elsewhere = b'X-Other: form-data; name="%b"; filename="7.png"\r\n' % field.encode()
    for place in ("before", "after"):
        hidden = part("other", DIGIT, **{place: elsewhere})
        yield post(f"another name, the right one in a header {place}", path, form(hidden), 400)
    for name, disposition in dispositions.items():
        statuses = [400] if name in refused else [200] if name in taken else []
        yield post(name, path, form(part(field, DIGIT, disposition=disposition)), *statuses)

    headers = {
        "part of a type": b"Content-Type: image/png\r\n",
        "part of a wrong type": b"Content-Type: text/html\r\n",
        "part of a type with a charset": b"Content-Type: text/plain; charset=utf-16\r\n",
        "part of an unknown charset": b"Content-Type: image/png; charset=nonsense\r\n",
        "part of an invalid type": b"Content-Type: \x00\xff\r\n",
        "part that is a multipart": b"Content-Type: multipart/mixed; boundary=x\r\n",
        "part declared as base64": b"Content-Transfer-Encoding: base64\r\n",
        "part in binary": b"Content-Transfer-Encoding: binary\r\n",
        "part declared as quoted-printable": b"Content-Transfer-Encoding: quoted-printable\r\n",
        "part with a length": b"Content-Length: %d\r\n" % len(DIGIT),
        "part with a wrong length": b"Content-Length: 3\r\n",
        "part with an unknown header": b"X-Anything: yes\r\n",
        "part with a header without a colon": b"nonsense\r\n",
        "part with an empty header name": b": value\r\n",
        "part with a space before the colon": b"X-Odd : value\r\n",
        "part with a folded header": b"X-Folded: one\r\n two\r\n",
        "part with two dispositions": b'Content-Disposition: form-data; name="other"\r\n',
        "part with a zero in a header": b"X-Zero: a\x00b\r\n",
    }
    for name, line in headers.items():
        yield post(name, path, form(part(field, DIGIT, after=line)))
    for name in ("part of a type", "part with two dispositions"):
        yield post(f"{name}, first", path, form(part(field, DIGIT, before=headers[name])))
    lower = part(field, DIGIT).replace(b"Content-Disposition", b"content-disposition")
    yield post("part header in small letters", path, form(lower), 200)
    yield post(
        "part header without a space", path, form(part(field, DIGIT).replace(b": ", b":", 1)), 200
    )

    image, other = part(field, DIGIT), part("other", DIGIT)
    sibling = part("images" if path == INFERENCE else "image_blob", DIGIT)
    text = part(field, b"text", disposition=quoted)
    several = {
        "a file and another file": [image, other],
        "another file and a file": [other, image],
        "a file and a text": [image, part("note", b"text", disposition=b'form-data; name="note"')],
        "a file and a text of its name": [image, text],
        "a text of its name and a file": [text, image],
        "only a text of its name": [text],
        "the experiment as a field": [
            image,
            part("", FIRST.encode(), disposition=b'form-data; name="experiment_name"'),
        ],
        "no part": [],
        "both operations' fields": [image, sibling],
    }
    bad = ("only a text of its name", "no part", "both operations' fields", "a file and a text")
    for name, parts in several.items():
        yield post(
            name,
            path,
            form(*parts),
            *([400] if name in bad else []),
        )
    yield post("the file twice", path, form(image, image), 400 if path == INFERENCE else 200)
