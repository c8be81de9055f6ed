"""The model directory -> models that answer, kept up with what changes in it.

Knows nothing of HTTP.

A content is taken over when its card confirms it, or when it stays the same for two looks: what is
half copied is neither. It is loaded and probed before it takes the place of the one before it,
which goes on for the calls that have it. A content that cannot be served changes nothing where
there was one before; otherwise the version is FAILED with its reason.
"""

import contextlib
import functools
import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from inference.errors import ModelNotReadyError, UnknownExperimentError
from inference.model_format import layout
from inference.model_format.card import InvalidCardError
from inference.model_format.layout import NAME_PATTERN, ModelFiles, Signature
from inference.models import artifacts
from inference.models.aliases import AliasTargets
from inference.models.artifacts import Artefact, PendingCompilation
from inference.models.catalog import NO_POINTERS, ModelCatalog, Unresolved
from inference.models.compile_queue import CompileQueue, Job
from inference.models.residency import ArtifactChangedError, ResidencyManager, ResidentModel
from inference.models.version import ModelVersion, State, Update
from inference.models.watcher import SETTLE_SECONDS, Watch
from inference.runtime.network import Network, UnservableModelError

__all__ = ["NAME_PATTERN", "ModelRepository", "ModelVersion", "State", "Unresolved", "Update"]

OLD_SECONDS = 2.0  # a file that nothing touched for so long is complete
SHOW_SECONDS = 0.25  # among many changes, what is done is shown this often
RENEWALS, RENEWAL_SECONDS = 10, 0.1

Key = tuple[str, int]

logger = logging.getLogger(__name__)


class ModelRepository:
    """The models below a directory (layout.py), by name and version.

    Any thread may call any method.

    `pointers` tells where the aliases point at the moment.
    """

    def __init__(
        self,
        directory: Path,
        compiled_dir: Path,
        memory_bytes: int,
        pointers: Callable[[], AliasTargets] = lambda: NO_POINTERS,
    ) -> None:
        self._pointers = pointers
        self._directory = directory
        self._compiled_dir = compiled_dir
        self._memory = ResidencyManager(memory_bytes)
        self._catalogue = ModelCatalog(())
        self._looking = threading.RLock()  # guards all below
        self._models: dict[Key, ModelVersion] = {}
        self._taken: dict[Key, Signature] = {}
        self._unsettled: dict[Key, tuple[Signature | None, float]] = {}
        self._said: set[str] = set()
        self._tell: Callable[[Sequence[ModelVersion]], None] | None = None
        self._is_changed = False  # since the catalogue was made
        self._shown_at = time.monotonic()
        self._backlog = CompileQueue(compiled_dir, self._is_wanted, self._compiled)
        self._watch = Watch(directory, self._look)

    def load(self) -> None:
        """Load what can be served as it is.

        Compile the rest and follow the directory in threads, until `close`.
        """
        if self._look(None):  # files of this moment: after a second look it is known what they are
            time.sleep(SETTLE_SECONDS)
            self._look(None)
        self._backlog.start()
        self._watch.start()

    def follow(self, tell: Callable[[Sequence[ModelVersion]], None]) -> None:
        """Tell of all models now, and again whenever any of them changed."""
        with self._looking:
            self._tell = tell
            tell(self.all())

    def close(self) -> None:
        """Stop to follow the directory and to compile."""
        self._watch.close()
        self._backlog.close()

    def all(self) -> list[ModelVersion]:
        """Return every version of every model, by name, then version."""
        return list(self._catalogue.all())

    def find(self, name: str, version: int | None = None) -> ModelVersion:
        """Return a version in whatever state.

        Without a version the newest that is READY, or else the newest.

        Raises UnknownExperimentError.
        """
        return self._catalogue.find(name, version)

    def named(self, name: str) -> ModelVersion | None:
        """Return what answers to a bare name, None where there is none of it or where the name is
        an alias.
        """
        return self._catalogue.named(name)

    def is_default(self, model: ModelVersion) -> bool:
        """Whether this version answers to the bare name."""
        return self._catalogue.is_default(model)

    def ready(self, name: str, version: int | None = None) -> tuple[ModelVersion, Network]:
        """Return a model that answers and its network, whatever happens to its files meanwhile.

        Raises UnknownExperimentError, ModelNotReadyError and ModelFailedError.
        """
        try:
            return self.find(name, version).serving()
        except UnknownExperimentError:  # perhaps the newest version of several went in this moment
            return self.find(name, version).serving()

    def select(self, wanted: Sequence[str]) -> list[ModelVersion | Unresolved]:
        """Return what a request names, all of one moment; see ModelCatalog.select.

        Raises MalformedRequestError.
        """
        return self._catalogue.select(wanted, self._pointers())

    def _look(self, names: Collection[str] | None) -> set[str]:
        """Take over what changed of these names, or of all.

        Return those that are to be looked at again after SETTLE_SECONDS.
        """
        with self._looking:
            try:
                places, messages = layout.places(self._directory, names)
            except OSError as error:  # what is loaded goes on
                self._say(
                    [
                        f"The model directory {self._directory} cannot be read, so it is not followed: {error.strerror}"
                    ]
                )
                return set()
            self._say(messages)
            known = {key for key in self._models if names is None or key[0] in names}
            for key in sorted(known | set(places)):
                self._follow(key, places.get(key))
                if time.monotonic() - self._shown_at > SHOW_SECONDS:
                    self._show()
            self._show()
            self._memory.trim()
            return {name for name, _ in self._unsettled}

    def _follow(self, key: Key, place: ModelFiles | None) -> None:
        """Take one version over if it changed and is complete."""
        signature = place.signature if place is not None else None
        is_known = signature == self._taken.get(key) and (
            signature is not None or key not in self._models
        )
        if is_known or (
            place is not None
            and artifacts.seems_complete(place)
            and self._take(key, place, only_confirmed=True)
        ):
            self._unsettled.pop(key, None)
        elif self._is_settled(key, place):
            del self._unsettled[key]
            if place is not None:
                self._take(key, place)
            else:
                self._taken.pop(key, None)
                self._put(key, None)
        elif key not in self._models:
            self._put(key, ModelVersion(key[0], State.LOADING, key[1]))

    def _is_settled(self, key: Key, place: ModelFiles | None) -> bool:
        """Tell whether a version is as it was at the look before, or has been for long."""
        signature = place.signature if place is not None else None
        before, since = self._unsettled.get(key, ((), 0.0))
        if before != signature:
            self._unsettled[key] = (signature, time.monotonic())
            return place is not None and time.time() - place.changed_at >= OLD_SECONDS
        return time.monotonic() - since >= SETTLE_SECONDS

    def _take(self, key: Key, place: ModelFiles, *, only_confirmed: bool = False) -> bool:
        """Serve the content of a place, or have it compiled, or say why not.

        Return whether any was done.

        With `only_confirmed` nothing is done unless the place's own card confirms it.
        """
        try:
            content = artifacts.read(place, self._compiled_dir)
            if only_confirmed and not (
                isinstance(content, Artefact) and content.path.parent == place.path
            ):
                return False
            only_confirmed = False  # it is complete: what is wrong from here on stays so
            self._taken[key] = place.signature
            if isinstance(content, Artefact):
                self._serve(key, content)
            else:
                self._wait_for(key, content)
                self._backlog.put(Job(*key, place, content))
        except Exception as error:  # noqa: BLE001  # whatever it is, it is this model's, and the others serve on
            if only_confirmed:
                return False
            if isinstance(error, OSError):
                self._taken.pop(
                    key, None
                )  # it may be readable at the next look without being another
                self._fail(key, f"Its files cannot be read: {error.strerror}.")
            else:
                self._taken[key] = place.signature
                is_told = isinstance(error, InvalidCardError | UnservableModelError)
                self._fail(
                    key,
                    str(error)
                    if is_told
                    else f"It cannot be loaded: {type(error).__name__}: {error}",
                )
        return True

    def _serve(self, key: Key, content: Artefact) -> None:
        """Load and probe a content and let it take the version's place. Raises UnservableModelError."""
        model = ModelVersion.of_card(*key, content.digest, content.record.bytes, content.card)
        before = self._models.get(key)
        # A content that was written again as it was needs no other network.
        if (
            before is not None
            and before.resident is not None
            and before.resident.serves(content.path, content.record)
        ):
            described = replace(before, state=State.LOADING, update=None)
            if described == model:
                before.resident.is_pinned = False
                self._put(key, replace(before, update=None))
                return
        # Bound to the card alone: the artefact holds the flatbuffer, which is to go when the
        # network is dropped.
        build = functools.partial(artifacts.network, content.card)
        resident = ResidentModel(
            self._memory, content.path, content.record, build, build(content.flatbuffer)
        )
        self._put(key, replace(model, state=State.READY, resident=resident, renewed=self._renewed))
        self._memory.admit(resident)

    def _wait_for(self, key: Key, content: PendingCompilation) -> None:
        """Say that a content is being compiled, of a version that may go on serving what it had."""
        before = self._models.get(key)
        if before is not None and before.resident is not None and before.resident.pin():
            self._put(key, replace(before, update=Update(State.LOADING, content.digest)))
        else:
            self._put(key, ModelVersion(key[0], State.LOADING, key[1], digest=content.digest))

    def _fail(self, key: Key, reason: str, digest: str | None = None) -> None:
        """Say why a content is not served, of a version that may go on serving what it had."""
        before = self._models.get(key)
        if before is not None and reason in (
            before.reason,
            before.update.reason if before.update is not None else None,
        ):
            return
        logger.error("Model %s, version %d failed: %s", *key, reason)
        if before is not None and before.resident is not None and before.resident.pin():
            self._put(key, replace(before, update=Update(State.FAILED, digest, reason)))
        else:
            self._put(key, ModelVersion(key[0], State.FAILED, key[1], reason=reason, digest=digest))

    def _put(self, key: Key, model: ModelVersion | None) -> None:
        if model is None:
            del self._models[key]
        else:
            self._models[key] = model
        self._is_changed = True

    def _show(self) -> None:
        """Let requests see the models as they are now."""
        if self._is_changed:
            self._catalogue = ModelCatalog(self._models.values())
            self._is_changed = False
            if self._tell is not None:
                self._tell(self.all())
        self._shown_at = time.monotonic()

    def _say(self, messages: Sequence[str]) -> None:
        """Put messages into the log, each once."""
        for message in messages:
            if message not in self._said:
                self._said.add(message)
                logger.error(message)

    def _renewed(self, model: ModelVersion) -> ModelVersion:
        """Return what a version is whose file is no more what its record says.

        Look at it at once, and wait for a moment.

        Raises ModelNotReadyError and UnknownExperimentError.
        """
        key = (model.name, model.version)
        for _ in range(RENEWALS):
            with self._looking:
                if self._models.get(key) is model:
                    self._taken.pop(key, None)
                    self._look([model.name])
            current = self.find(*key)
            if current is not model:
                if current.resident is None:
                    return current
                with contextlib.suppress(ArtifactChangedError):
                    current.resident.network()
                    return current
            time.sleep(RENEWAL_SECONDS)
        raise ModelNotReadyError

    def _is_wanted(self, job: Job) -> bool:
        with self._looking:
            return self._taken.get((job.name, job.version)) == job.place.signature

    def _compiled(self, job: Job, reason: str | None) -> None:
        """Serve what was compiled, or say why it was not, unless the files changed meanwhile.

        That is another job.
        """
        key = (job.name, job.version)
        with self._looking:
            if not self._is_wanted(job):
                return
            if reason is None:
                self._take(key, job.place)
            else:
                self._fail(key, reason, job.uncompiled.digest)
            self._show()
