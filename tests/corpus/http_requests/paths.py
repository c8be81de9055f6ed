"""Requests with other methods and other paths."""

from collections.abc import Iterator
from dataclasses import replace

from tests.corpus.http_requests.message import BASE, INFERENCE, Request, good, post


def addresses(path: str) -> Iterator[Request]:
    """Other methods and other paths."""
    plain = post("plain", path, good(path), 200, is_plain=True)
    yield plain
    short = path.removeprefix(BASE + "/")
    own_methods = {"POST"} if path == INFERENCE else {"POST", "GET"}
    for method in (
        "GET",
        "HEAD",
        "PUT",
        "PATCH",
        "DELETE",
        "TRACE",
        "CONNECT",
        "post",
        "P0ST",
        "OPTIONS",
    ):
        is_refused = method not in {*own_methods, "HEAD", "OPTIONS"}
        yield replace(
            plain,
            name=f"{short}: method {method}",
            method=method,
            statuses=frozenset({405} if is_refused else ()),
            is_plain=False,
        )
    word = path.rpartition("/")[2]
    paths = {
        "slash after": path + "/",
        "two slashes after": path + "//",
        "two slashes before": f"{BASE}//{word}",
        "two slashes first": "/" + path,
        "capitals": f"{BASE}/{word.upper()}",
        "a letter percent-encoded": f"{BASE}/%{ord(word[0]):x}{word[1:]}",
        "a slash percent-encoded": f"{BASE}%2f{word}",
        "a dot": f"{BASE}/./{word}",
        "two dots": f"{BASE}/x/../{word}",
        "a parameter": f"{path};v=1",
        "a newline": f"{path}%0A",
        "a zero": f"{path}%00",
        "a space": f"{path}%20",
        "emoji": f"{path}%F0%9F%98%80",
        "bytes that are not UTF-8": f"{path}%ff",
        "a broken percent": f"{path}%zz",
        "something after": f"{path}x",
        "something below": f"{path}/x",
        "no base": f"/{word}",
        "another version": f"/api/v2.0/{word}",
        "an address of its own": f"http://localhost:9090{path}",
        "10,000 letters": f"{BASE}/{'a' * 10_000}",
    }
    query = plain.target[len(path) :]
    for name, other in paths.items():
        yield replace(
            plain,
            name=f"{short}: path: {name}",
            target=other.encode() + query,
            statuses=frozenset(),
            is_plain=False,
        )
