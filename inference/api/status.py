"""/healthz, /readyz, /metrics, and the documents of the serving protocols."""

from collections import Counter
from http import HTTPStatus
from pathlib import Path

from inference.database.pool import Database
from inference.drain import Drain
from inference.errors import DatabaseUnavailableError, Document
from inference.models.repository import ModelRepository
from inference.models.version import State
from inference.observability.metrics import Metrics
from inference.prediction_log.log_status import LogStatus
from inference.registry.mirror_status import MirrorReadiness
from inference.server.api_keys import ApiKeys

PROTOCOLS = Path(__file__).parents[1] / "protocols"
MAX_NAMED = 5  # failed models in /readyz
LOG_FAULTS = ("waiting", "full", "failing")


class StatusApi:
    """The operations that describe the service itself."""

    def __init__(
        self,
        models: ModelRepository,
        database: Database,
        log: LogStatus,
        metrics: Metrics,
        keys: ApiKeys | None = None,
        drain: Drain | None = None,
        replica_id: str | None = None,
        mirror: MirrorReadiness | None = None,
    ) -> None:
        self._models = models
        self._database = database
        self._log = log
        self._metrics = metrics
        self._keys = keys
        self._drain = drain or Drain()
        self._replica_id = replica_id
        self._mirror = mirror

    def health(self) -> Document:
        """Return that the process is alive."""
        return {"status": "ok"}

    def readiness(self) -> tuple[Document, int]:
        """Return the state of the service's dependencies, and 200 if it can predict, else 503.

        The service is starting until a model is READY, and until the model registry is mirrored,
        if it has one. Compiling further models does not make it unready, however long it takes and
        however it ends. While it is draining, the service says only that, and looks at nothing.
        """
        if self._drain.is_active:
            return {"status": "draining"}, HTTPStatus.SERVICE_UNAVAILABLE.value
        models, database, log = self._model_states(), self._database_state(), self._log.document()
        keys_fault = self._keys.fault() if self._keys is not None else None
        registry = self._registry_state()
        is_loading = models["loading"] > 0
        if not _is_mirrored(registry):
            status = "starting"
        elif not models["ready"]:
            status = "starting" if is_loading else "failed"
        elif (
            models["failed"]
            or database["status"] == "down"
            or log["status"] in LOG_FAULTS
            or keys_fault is not None
            or (registry is not None and registry["status"] != "ok")
        ):
            status = "degraded"
        else:
            status = "ready"
        is_ready = status in ("ready", "degraded")
        dependencies: Document = {"models": models, "database": database, "log": log}
        if keys_fault is not None:
            dependencies["api_keys"] = {"status": "failing", "detail": keys_fault}
        elif self._keys is not None:
            dependencies["api_keys"] = {"status": "ok"}
        if registry is not None:
            dependencies["registry"] = registry
        code = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        replica = {} if self._replica_id is None else {"replica": self._replica_id}
        return {"status": status, **replica, "dependencies": dependencies}, code.value

    def is_serving(self) -> bool:
        """Return whether the service can predict: whether `readiness` is 200.

        It looks at memory and one small file, so it may run on the event loop.
        """
        if self._drain.is_active or not _is_mirrored(self._registry_state()):
            return False
        return any(one.state is State.READY for one in self._models.snapshot().all())

    def metrics(self) -> str:
        """Return the metrics in Prometheus's text format."""
        return self._metrics.text()

    def protocol_document(self, name: str) -> str:
        """Return the OpenAPI document of a serving protocol. openapi.yaml lists their names."""
        return (PROTOCOLS / name).read_text(encoding="utf-8")

    def _model_states(self) -> Document:
        versions = self._models.snapshot().all()
        states = Counter(version.state for version in versions)
        ready, loading, failed = (
            states[state] for state in (State.READY, State.LOADING, State.FAILED)
        )
        status = "loading" if loading else "ok" if ready else "failed" if failed else "empty"
        document: Document = {
            "status": status,
            "ready": ready,
            "loading": loading,
            "failed": failed,
        }
        if failed:
            names = [
                f"{version.name}@{version.version}"
                for version in versions
                if version.state is State.FAILED
            ]
            more = ", ..." if failed > MAX_NAMED else ""
            shown = ", ".join(names[:MAX_NAMED])
            document["detail"] = f"Failed: {shown}{more}. See GET /api/v1.0/models for the reasons."
        return document

    def _registry_state(self) -> Document | None:
        if self._mirror is None:
            return None
        versions = self._models.snapshot().all()
        return self._mirror.document({f"{one.name}@{one.version}" for one in versions})

    def _database_state(self) -> Document:
        try:
            self._database.check()
        except DatabaseUnavailableError as error:
            return {"status": "down", "detail": error.detail}
        return {"status": "ok"}


def _is_mirrored(registry: Document | None) -> bool:
    return registry is None or registry["status"] != "starting"
