"""Version table: the current record of every model version, and the transitions between states.

Not thread-safe: the repository holds its lock around every call. The published catalog may be read
by any thread.
"""

import functools
import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from inference.model_format import robustness
from inference.model_format.robustness import InvalidRobustnessError, Robustness
from inference.models import artifacts
from inference.models.artifacts import Artifact
from inference.models.catalog import ModelCatalog
from inference.models.residency import ResidencyManager, ResidentModel
from inference.models.version import ModelVersion, State, Update
from inference.probe.prober import Prober

PUBLISH_SECONDS = 0.25  # during many changes, finished ones are published at this interval

Key = tuple[str, int]
Listener = Callable[[Sequence[ModelVersion]], None]

logger = logging.getLogger(__name__)


class VersionTable:
    """Records by name and version, and the catalog last published from them.

    Unserved content never replaces content that serves: it becomes the `update` of the record.
    """

    def __init__(
        self,
        manager: ResidencyManager,
        reload: Callable[[ModelVersion], ModelVersion],
        prober: Prober | None = None,
    ) -> None:
        self._manager = manager
        self._prober = prober or Prober()
        self._reload = reload
        self._models: dict[Key, ModelVersion] = {}
        self._listener: Listener | None = None
        self._is_changed = False  # since the last publication
        self._published_at = time.monotonic()
        self.catalog = ModelCatalog(())

    def subscribe(self, listener: Listener) -> None:
        """Call a listener with all models now and after each publication of changes."""
        self._listener = listener
        listener(self.catalog.all())

    def get(self, key: Key) -> ModelVersion | None:
        """Return the record of a version."""
        return self._models.get(key)

    def keys(self, names: Collection[str] | None) -> set[Key]:
        """Return the versions of these names, or of all."""
        return {key for key in self._models if names is None or key[0] in names}

    def add(self, key: Key) -> None:
        """Add a version whose content is not known yet, as LOADING."""
        self._put(key, ModelVersion(key[0], State.LOADING, key[1]))

    def remove(self, key: Key) -> None:
        """Remove a version."""
        del self._models[key]
        self._is_changed = True

    def serve(self, key: Key, artifact: Artifact) -> None:
        """Load an artifact, let it read the probe digits, and let it replace the version's content.

        Raises UnservableModelError.
        """
        card, record = artifact.card, artifact.record
        model = ModelVersion.from_card(*key, artifact.digest, record.bytes, card)
        before = self._models.get(key)
        # Equal content that was written again keeps its network.
        if (
            before is not None
            and before.resident is not None
            and before.resident.has_content(artifact.path, record)
            and replace(before, state=State.LOADING, update=None) == model
        ):
            before.resident.is_pinned = False
            self._put(key, replace(before, update=None, robustness=_read_robustness(key, artifact)))
            return
        # Bound to the card only. The artifact holds the flatbuffer, which eviction must free.
        build = functools.partial(artifacts.load_network, card)
        network = build(artifact.flatbuffer)
        probe = self._prober.report(network, record, card)
        if probe.warning:
            logger.warning("Model %s, version %d: %s.", *key, probe.reading.sentence)
        resident = ResidentModel(self._manager, artifact.path, record, build, network)
        model = replace(
            model, state=State.READY, probe=probe, robustness=_read_robustness(key, artifact)
        )
        self._put(key, replace(model, resident=resident, reload=self._reload))
        self._manager.admit(resident)

    def mark_compiling(self, key: Key, digest: str) -> None:
        """Record that content with this digest is being compiled."""
        if (serving := self._pinned(key)) is not None:
            self._put(key, replace(serving, update=Update(State.LOADING, digest)))
        else:
            self._put(key, ModelVersion(key[0], State.LOADING, key[1], digest=digest))

    def mark_failed(self, key: Key, reason: str, digest: str | None = None) -> None:
        """Record and log why new content cannot be served."""
        before = self._models.get(key)
        if before is not None and reason in (
            before.reason,
            before.update.reason if before.update is not None else None,
        ):
            return
        logger.error("Model %s, version %d failed: %s", *key, reason)
        if (serving := self._pinned(key)) is not None:
            self._put(key, replace(serving, update=Update(State.FAILED, digest, reason)))
        else:
            self._put(key, ModelVersion(key[0], State.FAILED, key[1], reason=reason, digest=digest))

    def publish(self) -> None:
        """Make all changes visible to requests and to the listener."""
        if self._is_changed:
            self.catalog = ModelCatalog(self._models.values())
            self._is_changed = False
            if self._listener is not None:
                self._listener(self.catalog.all())
        self._published_at = time.monotonic()

    def publish_if_due(self) -> None:
        """Publish if the last publication is more than PUBLISH_SECONDS ago."""
        if time.monotonic() - self._published_at > PUBLISH_SECONDS:
            self.publish()

    def _pinned(self, key: Key) -> ModelVersion | None:
        """Return the record that serves, with its network pinned: its file may be gone."""
        model = self._models.get(key)
        is_pinned = model is not None and model.resident is not None and model.resident.pin()
        return model if is_pinned else None

    def _put(self, key: Key, model: ModelVersion) -> None:
        self._models[key] = model
        self._is_changed = True


def _read_robustness(key: Key, artifact: Artifact) -> Robustness | None:
    """Return the robustness beside an artifact. A file that is not valid changes nothing else."""
    try:
        return robustness.read(artifact.path.parent, artifact.digest)
    except InvalidRobustnessError as error:
        logger.warning("Model %s, version %d: %s", *key, error)
        return None
