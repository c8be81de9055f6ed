"""Status: health, and readiness as a function of models, database and prediction log."""

from pathlib import Path
from typing import Any, cast

import pytest

from inference.api.status import StatusApi
from inference.drain import Drain
from inference.errors import DatabaseUnavailableError
from inference.models.catalog import ModelCatalog
from inference.models.version import ModelVersion, State
from inference.observability.metrics import Metrics
from inference.server.api_keys import ApiKeys

READY, LOADING, FAILED = State.READY, State.LOADING, State.FAILED


class Dependencies:
    """Models, database and log whose state a test sets."""

    def __init__(self, *states: State) -> None:
        self.states = states
        self.is_database_up = True
        self.log = "ok"

    def snapshot(self) -> ModelCatalog:
        return ModelCatalog(
            [ModelVersion(f"m{number}", state) for number, state in enumerate(self.states)]
        )

    def check(self) -> None:
        if not self.is_database_up:
            raise DatabaseUnavailableError

    def document(self) -> dict[str, Any]:
        return {"status": self.log}


def make_api(dependencies: Dependencies) -> StatusApi:
    own = cast("Any", dependencies)
    return StatusApi(own, own, own, Metrics())


def readiness(api: StatusApi) -> tuple[str, int]:
    document, code = api.readiness()
    return document["status"], code


def test_readiness_while_draining_is_503_whatever_the_models_are() -> None:
    own, drain = cast("Any", Dependencies(READY)), Drain()
    api = StatusApi(own, own, own, Metrics(), drain=drain)
    assert api.readiness()[1] == 200
    drain.is_active = True
    assert api.readiness() == ({"status": "draining"}, 503)


def test_readiness_names_the_replica() -> None:
    own = cast("Any", Dependencies(READY))
    document, _ = StatusApi(own, own, own, Metrics(), replica_id="an-id").readiness()
    assert document["replica"] == "an-id"


def test_health_is_always_ok() -> None:
    assert make_api(Dependencies()).health() == {"status": "ok"}


@pytest.mark.parametrize(
    ("states", "status", "code", "models"),
    [
        ([], "failed", 503, "empty"),
        ([LOADING], "starting", 503, "loading"),
        ([READY, LOADING], "ready", 200, "loading"),
        ([READY, FAILED, LOADING], "degraded", 200, "loading"),
        ([FAILED, LOADING], "starting", 503, "loading"),
        ([FAILED], "failed", 503, "failed"),
        ([READY, FAILED], "degraded", 200, "ok"),
        ([READY], "ready", 200, "ok"),
    ],
)
def test_readiness_at_the_start(states: list[State], status: str, code: int, models: str) -> None:
    api = make_api(Dependencies(*states))
    assert readiness(api) == (status, code)
    assert api.readiness()[0]["dependencies"]["models"]["status"] == models


def test_readiness_stays_when_models_are_added_later() -> None:
    dependencies = Dependencies(READY)
    api = make_api(dependencies)
    assert readiness(api) == ("ready", 200)
    dependencies.states = (READY, LOADING)
    assert readiness(api) == ("ready", 200)
    dependencies.states = (FAILED,)
    assert readiness(api) == ("failed", 503)


@pytest.mark.parametrize(
    ("log", "status"), [("waiting", "degraded"), ("full", "degraded"), ("failing", "degraded")]
)
def test_readiness_with_a_faulty_log_is_degraded(log: str, status: str) -> None:
    dependencies = Dependencies(READY)
    dependencies.log = log
    assert readiness(make_api(dependencies)) == (status, 200)


def test_readiness_without_database_is_degraded() -> None:
    dependencies = Dependencies(READY)
    dependencies.is_database_up = False
    document, code = make_api(dependencies).readiness()
    database = document["dependencies"]["database"]
    assert (document["status"], code) == ("degraded", 200)
    assert database == {"status": "down", "detail": DatabaseUnavailableError.detail}


def test_readiness_with_an_invalid_line_of_a_key_is_degraded(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("no digest\n")
    own = cast("Any", Dependencies(READY))
    document, code = StatusApi(own, own, own, Metrics(), ApiKeys(tmp_path / "keys")).readiness()
    keys = document["dependencies"]["api_keys"]
    assert (document["status"], code, keys["status"]) == ("degraded", 200, "failing")
    assert "invalid lines, which are ignored: 1." in keys["detail"]
    (tmp_path / "keys").write_text("")
    document, _ = StatusApi(own, own, own, Metrics(), ApiKeys(tmp_path / "keys")).readiness()
    assert (document["status"], document["dependencies"]["api_keys"]) == ("ready", {"status": "ok"})


def test_readiness_names_five_failed_models() -> None:
    states = [READY, *[FAILED] * 6]
    models = make_api(Dependencies(*states)).readiness()[0]["dependencies"]["models"]
    names = ", ".join(f"m{number}@1" for number in range(1, 6))
    assert models["detail"].startswith(f"Failed: {names}, .... See GET /api/v1.0/models")
    assert (models["ready"], models["failed"]) == (1, 6)


def test_metrics_are_prometheus_text() -> None:
    assert "mlops_cache_hits_total 0.0" in make_api(Dependencies()).metrics()


class Mirror:
    """A mirror whose state a test sets."""

    def __init__(self, status: str) -> None:
        self.status = status
        self.known: set[str] = set()

    def document(self, known: set[str]) -> dict[str, Any]:
        self.known = known
        return {"status": self.status, "detail": "Because."}


@pytest.mark.parametrize(
    ("states", "mirror", "status", "code"),
    [
        ([READY], "ok", "ready", 200),
        ([READY], "starting", "starting", 503),
        ([], "starting", "starting", 503),
        ([FAILED], "starting", "starting", 503),
        ([], "ok", "failed", 503),
        ([READY], "partial", "degraded", 200),
        ([READY], "failing", "degraded", 200),
        ([LOADING], "failing", "starting", 503),
    ],
)
def test_readiness_with_a_registry(
    states: list[State], mirror: str, status: str, code: int
) -> None:
    own, fake = cast("Any", Dependencies(*states)), Mirror(mirror)
    api = StatusApi(own, own, own, Metrics(), mirror=cast("Any", fake))
    assert readiness(api) == (status, code)
    assert api.readiness()[0]["dependencies"]["registry"] == fake.document(fake.known)
    assert fake.known == {f"m{number}@1" for number in range(len(states))}


def test_readiness_without_a_registry_does_not_mention_it() -> None:
    assert "registry" not in make_api(Dependencies(READY)).readiness()[0]["dependencies"]
