"""Fast path: whatever is asked, it answers as Connexion does, by ASGI and over a socket."""

import asyncio
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from starlette.types import ASGIApp

from inference.app import create_app
from inference.settings import from_environment
from tests.conftest import SHIPPED
from tests.corpus.http_requests.corpus import requests
from tests.corpus.http_requests.message import BASE, FAILING, FIRST, SECOND, Request
from tests.corpus.images import odd_images
from tests.support.asgi_client import Answer, Ask, ask_over_socket, listening, running

REQUESTS = requests()
CORPUS = {request.name: request for request in REQUESTS}
PLAIN = [request for request in CORPUS.values() if request.is_plain]
METRICS = Request("metrics", "GET", f"{BASE}/metrics".encode(), (), b"")
MAX_ERROR_BYTES = 1024


@dataclass(frozen=True)
class Comparison:
    """The answers of both applications to each request, by name.

    `fast_count` and `fast_count_on_wire` are how many requests the fast path took: of the plain
    ones at once, and over a socket. `fast_count_when_off` is that of the application without it.
    """

    connexion: dict[str, Answer]
    fast: dict[str, Answer]
    concurrent: dict[str, Answer]  # to the plain requests, all at the same time
    after_canceled: Answer
    fast_count: float
    fast_count_when_off: float
    wire: dict[str, Answer]  # over a socket, to the requests that can be sent there
    pipelined: list[Answer]  # to the plain requests, over one connection
    fast_count_on_wire: float


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comparison]:
    folder = tmp_path_factory.mktemp("comparison")
    for name in (FIRST, SECOND):
        shutil.copytree(SHIPPED / name, folder / "models" / name)
    (folder / "models" / FAILING).mkdir()
    (folder / "models" / FAILING / "card.json").write_text("{")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGHOST", "127.0.0.1")
        patch.setenv("PGPORT", "9")  # no database: predictions work without it
        yield asyncio.run(_compare(folder))


async def _compare(folder: Path) -> Comparison:
    fast_app = _app(folder, "1")
    async with running(_app(folder, "0")) as ask_connexion, running(fast_app) as ask_fast:
        connexion = {name: await ask_connexion(request) for name, request in CORPUS.items()}
        fast = {name: await ask_fast(request) for name, request in CORPUS.items()}
        count = await _fast_count(ask_fast)
        answers = await asyncio.gather(*map(ask_fast, PLAIN))
        fast_count = await _fast_count(ask_fast) - count
        concurrent = {request.name: answer for request, answer in zip(PLAIN, answers, strict=True)}
        after_canceled = await _cancel(ask_fast)
        count = await _fast_count(ask_fast)
        async with listening(fast_app) as port:
            sendable = [request for request in CORPUS.values() if request.is_sendable]
            wire = {
                request.name: (await ask_over_socket(port, [request]))[0] for request in sendable
            }
            fast_count_on_wire = await _fast_count(ask_fast) - count
            pipelined = await ask_over_socket(port, PLAIN)
        return Comparison(
            connexion,
            fast,
            concurrent,
            after_canceled,
            fast_count,
            await _fast_count(ask_connexion),
            wire,
            pipelined,
            fast_count_on_wire,
        )


def _app(folder: Path, fast_path: str) -> ASGIApp:
    variables = {
        "MODELS_DIR": str(folder / "models"),
        "COMPILED_DIR": str(folder / "compiled"),
        "JOURNAL_DIR": str(folder / "journal"),
        "FAST_PATH": fast_path,
    }
    return create_app(from_environment(variables))


async def _fast_count(ask: Ask) -> float:
    """Return how many requests the fast path has answered, by the metrics."""
    text = (await ask(METRICS)).body.decode()
    pattern = r'^mlops_http_requests_total\{.*path="fast".*\} (\S+)$'
    return sum(map(float, re.findall(pattern, text, re.MULTILINE)))


async def _cancel(ask: Ask) -> Answer:
    """Cancel the plain requests before they are answered, and send another."""
    calls = [asyncio.ensure_future(ask(request)) for request in PLAIN]
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    return await ask(replace(PLAIN[0], name="after"))


def differences(first: dict[str, Answer], second: dict[str, Answer]) -> dict[str, str]:
    """Return the requests of `first` that got another answer in `second`, with both."""
    return {
        name: f"{answer}\n{second[name]}"
        for name, answer in first.items()
        if replace(answer, body=b"") != replace(second[name], body=b"")
    }


def is_acceptable(answer: Answer, request: Request) -> bool:
    """Return whether an answer has a correct status and, if it is an error, a small problem."""
    correct = request.statuses
    if answer.status not in correct if correct else answer.status == 500:
        return False
    return answer.status < 400 or (
        answer.content_type == "application/problem+json"
        and len(answer.documents) == 1
        and len(answer.body) <= MAX_ERROR_BYTES
    )


def test_both_paths_give_the_same_answer(comparison: Comparison) -> None:
    assert comparison.fast.keys() == CORPUS.keys()
    assert differences(comparison.fast, comparison.connexion) == {}


def test_request_gets_a_correct_status_and_a_small_problem(comparison: Comparison) -> None:
    """The status is never 500."""
    unacceptable = {
        name: str(answer)
        for name, answer in comparison.connexion.items()
        if not is_acceptable(answer, CORPUS[name])
    }
    assert unacceptable == {}


def test_fast_path_takes_requests_of_ordinary_clients(comparison: Comparison) -> None:
    assert comparison.fast_count >= 0.8 * len(PLAIN)
    assert comparison.fast_count_when_off == 0


def test_socket_and_asgi_give_the_same_answer(comparison: Comparison) -> None:
    assert differences(comparison.wire, comparison.fast) == {}


def test_fast_path_takes_plain_requests_over_a_socket(
    comparison: Comparison,
) -> None:
    assert len(comparison.wire) >= 0.8 * len(CORPUS)
    assert comparison.fast_count_on_wire >= 0.8 * len(PLAIN)


def test_pipelined_requests_are_answered_in_order(
    comparison: Comparison,
) -> None:
    assert [answer.documents for answer in comparison.pipelined] == [
        comparison.fast[request.name].documents for request in PLAIN
    ]


def test_concurrent_requests_get_the_answers_of_single_ones(comparison: Comparison) -> None:
    assert {name: answer.documents for name, answer in comparison.concurrent.items()} == {
        request.name: comparison.fast[request.name].documents for request in PLAIN
    }


def test_canceled_requests_do_not_affect_the_next(comparison: Comparison) -> None:
    assert comparison.after_canceled.documents == comparison.fast[PLAIN[0].name].documents


def test_image_in_a_batch_gets_the_answer_of_a_single_one(comparison: Comparison) -> None:
    [document] = comparison.fast["predictions: every odd image in one call"].documents
    alone = [
        comparison.fast[f"predictions: {image.name}"].documents[0]["predictions"][0]
        for image in odd_images()
    ]
    together = document["predictions"]
    assert [{**entry, "index": 0} for entry in together] == alone
    assert [entry["index"] for entry in together] == list(range(len(together)))


def test_corpus_is_large_half_odd_and_has_unique_names() -> None:
    assert len(CORPUS) >= 320
    assert len(PLAIN) <= len(CORPUS) / 2
    assert len(CORPUS) == len(REQUESTS)
