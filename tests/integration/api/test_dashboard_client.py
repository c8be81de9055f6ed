"""Dashboard client against the real application: both follow the same contract."""

import shutil
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from inference.app import create_app
from inference.model_format.card import CARD_FILE, Card
from inference.model_format.robustness import ROBUSTNESS_FILE
from inference.probe.robustness import version_digest
from inference.settings import from_environment
from local import ports
from tests.conftest import SHIPPED
from tests.support.robustness import make_robustness
from web.data.api_client import ApiClient
from web.data.api_types import Answer, ApiProblemError, ImageResult
from web.data.diagnostics.explanations import explain
from web.data.diagnostics.robustness import NOT_MEASURED, read_robustness

START_SECONDS = 30


@pytest.fixture(scope="module")
def served(shipped_names: list[str]) -> list[str]:
    """Return the names of the served models."""
    return shipped_names[:3]


@pytest.fixture(scope="module")
def api(served: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiClient]:
    """Yield a client of a service with three models, one that fails, and no database."""
    folder = tmp_path_factory.mktemp("api")
    for name in served:
        model = folder / "models" / name
        shutil.copytree(SHIPPED / name, model)
        (model / ROBUSTNESS_FILE).unlink(missing_ok=True)
    own = folder / "models" / served[0]
    make_robustness(version_digest(Card.read(own / CARD_FILE))).write(own)
    (folder / "models" / "failing").mkdir()
    (folder / "models" / "failing" / "card.json").write_text("{")
    settings = from_environment(
        {
            "MODELS_DIR": str(folder / "models"),
            "COMPILED_DIR": str(folder / "compiled"),
            "JOURNAL_DIR": str(folder / "journal"),
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGHOST", "127.0.0.1")
        patch.setenv("PGPORT", "9")
        port = ports.find_free()
        server = uvicorn.Server(
            uvicorn.Config(create_app(settings), port=port, log_config=None, access_log=False)
        )
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            deadline = time.monotonic() + START_SECONDS
            while not server.started:
                assert thread.is_alive()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            client = ApiClient(f"http://127.0.0.1:{port}/api/v1.0")
            while client.readiness().loading:  # a folder that was just written may be incomplete
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield client
        finally:
            server.should_exit = True
            thread.join()


def answers(result: ImageResult) -> list[Answer]:
    assert isinstance(result, list), result
    return result


def test_every_image_has_answers_in_request_order(
    api: ApiClient, served: list[str], digits: dict[str, bytes]
) -> None:
    names = served[::-1]
    results = api.predict(list(digits.values()), names)
    assert [[answer.experiment for answer in answers(result)] for result in results] == [
        names
    ] * len(digits)
    for result in results:
        for answer in answers(result):
            assert answer.prediction is not None
            assert list(answer.prediction.probabilities) == list("0123456789")
            assert sum(answer.prediction.probabilities.values()) == pytest.approx(1)
            assert (
                answer.prediction.confidence
                == answer.prediction.probabilities[answer.prediction.label]
            )


def test_images_keep_their_order(
    api: ApiClient, served: list[str], digits: dict[str, bytes]
) -> None:
    images = list(digits.values())
    assert api.predict(images, served) == [api.predict([image], served)[0] for image in images]


def test_problem_of_one_model_stays_in_its_answer(
    api: ApiClient, served: list[str], digits: dict[str, bytes]
) -> None:
    [result] = api.predict([digits["7"]], ["unknown", served[0], "failing"])
    unknown, good, failing = answers(result)
    assert unknown.problem is not None
    assert failing.problem is not None
    assert (unknown.experiment, unknown.problem.status, unknown.problem.title) == (
        "unknown",
        404,
        "Unknown experiment",
    )
    assert (failing.experiment, failing.problem.status, failing.problem.title) == (
        "failing",
        503,
        "Model failed",
    )
    assert good.prediction is not None


def test_unreadable_image_keeps_the_others(
    api: ApiClient, served: list[str], digits: dict[str, bytes]
) -> None:
    first, text, empty, last = api.predict([digits["1"], b"text", b"", digits["2"]], served)
    assert isinstance(text, ApiProblemError)
    assert isinstance(empty, ApiProblemError)
    assert ((text.status, empty.status), text.is_about_the_image, len(text.detail) > 0) == (
        (415, 422),
        True,
        True,
    )
    assert [len(answers(result)) for result in (first, last)] == [3, 3]


def test_large_image_is_its_own_problem(
    api: ApiClient, served: list[str], digits: dict[str, bytes]
) -> None:
    large, good = api.predict([digits["1"] + b"\x00" * 2**21, digits["1"]], served)
    assert isinstance(large, ApiProblemError)
    assert (large.status, isinstance(good, list)) == (413, True)


def test_request_without_available_model_fails_for_each(
    api: ApiClient, digits: dict[str, bytes]
) -> None:
    [result] = api.predict([digits["7"]], ["unknown", "failing"])
    assert [answer.problem and answer.problem.title for answer in answers(result)] == [
        "Unknown experiment"
    ] * 2


def test_models_and_readiness(api: ApiClient, served: list[str]) -> None:
    assert {name: model.state for name, model in api.models().items()} == {
        **dict.fromkeys(served, "READY"),
        "failing": "FAILED",
    }
    readiness = api.readiness()
    assert (readiness.status, readiness.ready, readiness.failed) == ("degraded", 3, 1)


def test_versions_have_failure_reason_and_card(api: ApiClient, served: list[str]) -> None:
    versions = {version.name: version for version in api.versions()}
    failing, good = versions["failing"], versions[served[0]]
    assert (
        failing.state,
        failing.reason is not None,
        good.short_name,
        good.parity and good.parity["equal_argmax"],
    ) == (
        "FAILED",
        True,
        served[0],
        True,
    )
    assert set(api.card(good.name, good.version)) == {
        "parameters",
        "config",
        "metrics",
        "data",
        "code",
        "run",
    }
    assert "learning_rate" in api.card(good.name, good.version)["config"]
    assert api.card("failing", 1) == {}


def test_explanation_has_a_map_of_every_model(
    api: ApiClient, served: list[str], digits: dict[str, bytes]
) -> None:
    found = explain(api, digits["7"], [*served, "failing"])
    predicted = answers(api.predict([digits["7"]], served)[0])
    assert [(one.experiment, one.label) for one in found.maps] == [
        (answer.experiment, answer.prediction and answer.prediction.label) for answer in predicted
    ]
    assert {one.drops.shape for one in found.maps} == {(13, 13)}
    assert found.pixels.shape == (28, 28)
    assert [(name, problem.status) for name, problem in found.problems] == [("failing", 503)]


def test_robustness_is_read_where_it_was_measured(api: ApiClient, served: list[str]) -> None:
    found = read_robustness(api, f"{served[0]}@1")
    assert (found.images, len(found.by_corruption), len(found.scores)) == (300, 7, 28)
    assert found.mean_accuracy == pytest.approx(185 / 300)
    assert read_robustness(api, served[1]) is NOT_MEASURED
