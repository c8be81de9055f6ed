"""Model repository: loads the models of a directory and follows its changes.

Content is loaded at once when its card confirms it. Otherwise it must be unchanged in two scans,
which a partial copy is not. It is loaded and probed before it replaces earlier content, and running
calls keep the earlier network. Content that cannot be served leaves earlier content serving.
Without earlier content, the version is FAILED with a reason.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from inference.errors import ModelNotReadyError, UnknownExperimentError
from inference.model_format import layout
from inference.model_format.card import InvalidCardError
from inference.model_format.layout import Fingerprint, ModelFiles
from inference.models import artifacts, compile_failures
from inference.models.aliases import AliasTargets
from inference.models.artifacts import Artifact
from inference.models.catalog import NO_ALIASES, ModelCatalog, Unresolved
from inference.models.compile_queue import CompileQueue, Job
from inference.models.residency import ArtifactChangedError, ResidencyManager
from inference.models.version import ModelVersion
from inference.models.version_table import Key, Listener, VersionTable
from inference.models.watcher import SETTLE_SECONDS, DirectoryWatcher
from inference.probe.prober import MIN_ACCURACY, PROBES_DIR, Prober
from inference.runtime.network import Network, UnservableModelError

OLD_SECONDS = 2.0  # a file that is unchanged for this long is complete
RELOAD_ATTEMPTS, RELOAD_SECONDS = 10, 0.1

logger = logging.getLogger(__name__)


class ModelRepository:
    """Models below a directory (model_format/layout.py), by name and version.

    Any thread may call any method. `alias_targets` returns the current targets of all aliases.
    """

    def __init__(
        self,
        directory: Path,
        compiled_dir: Path,
        memory_bytes: int,
        alias_targets: Callable[[], AliasTargets] = lambda: NO_ALIASES,
        probe_min_accuracy: float = MIN_ACCURACY,
    ) -> None:
        self._alias_targets = alias_targets
        self._directory = directory
        self._compiled_dir = compiled_dir
        self._residency = ResidencyManager(memory_bytes)
        self._table = VersionTable(
            self._residency, self._reload, Prober(compiled_dir / PROBES_DIR, probe_min_accuracy)
        )
        self._lock = threading.RLock()  # guards the table's changes and all below
        self._taken: dict[Key, Fingerprint] = {}
        self._settling: dict[Key, tuple[Fingerprint | None, float]] = {}
        self._failed: dict[Key, Job] = {}  # compilations
        self._logged: set[str] = set()
        self._queue = CompileQueue(compiled_dir, self._is_wanted, self._on_compiled)
        self._watcher = DirectoryWatcher(directory, self._scan)

    def load(self) -> None:
        """Load all models that need no compilation, then start the threads for the others.

        The threads compile and follow the directory until `close`.
        """
        if self._scan(None):  # recent files need a second scan
            time.sleep(SETTLE_SECONDS)
            self._scan(None)
        self._queue.start()
        self._watcher.start()

    def subscribe(self, listener: Listener) -> None:
        """Call a listener with all models now and whenever any of them has changed."""
        with self._lock:
            self._table.subscribe(listener)

    def close(self) -> None:
        """Stop following the directory and compiling."""
        self._watcher.close()
        self._queue.close()

    def snapshot(self) -> ModelCatalog:
        """Return the immutable catalog of all models at this moment."""
        return self._table.catalog

    def select(self, wanted: Sequence[str]) -> list[ModelVersion | Unresolved]:
        """Return the models that a request names, with the aliases of this moment.

        See ModelCatalog.select. Raises MalformedRequestError.
        """
        return self._table.catalog.select(wanted, self._alias_targets())

    def resolve(self, name: str, version: int | None = None) -> tuple[ModelVersion, Network]:
        """Return a model that serves and its network, even while its files change.

        Raises UnknownExperimentError, ModelNotReadyError and ModelFailedError.
        """
        try:
            return self.snapshot().find(name, version).resolve()
        except UnknownExperimentError:  # the newest of several versions may just have been deleted
            return self.snapshot().find(name, version).resolve()

    def _scan(self, names: Collection[str] | None) -> set[str]:
        """Take over changes of these names, or of all.

        Return the names to scan again after SETTLE_SECONDS.
        """
        with self._lock:
            try:
                found, messages = layout.find_models(self._directory, names)
            except OSError as error:  # loaded models keep serving
                self._log_once(
                    f"The model directory {self._directory} cannot be read: {error.strerror}. "
                    "Loaded models keep serving, and changes are not followed."
                )
                return set()
            for message in messages:
                self._log_once(message)
            for key in sorted(self._table.keys(names) | set(found)):
                self._update(key, found.get(key))
                self._table.publish_if_due()
            self._adopt_results()
            self._table.publish()
            self._residency.evict()
            return {name for name, _ in self._settling}

    def _update(self, key: Key, files: ModelFiles | None) -> None:
        """Take over the files of one version if they are new and complete."""
        fingerprint = files.fingerprint if files is not None else None
        is_present = self._table.get(key) is not None
        is_known = fingerprint == self._taken.get(key) and (
            fingerprint is not None or not is_present
        )
        if is_known or (
            files is not None
            and artifacts.is_complete(files)
            and self._take(key, files, only_confirmed=True)
        ):
            self._settling.pop(key, None)
        elif self._is_settled(key, files):
            del self._settling[key]
            if files is not None:
                self._take(key, files)
            else:
                self._taken.pop(key, None)
                self._table.remove(key)
        elif not is_present:
            self._table.add(key)

    def _is_settled(self, key: Key, files: ModelFiles | None) -> bool:
        """Return whether a version is unchanged since the last scan, or for OLD_SECONDS."""
        fingerprint = files.fingerprint if files is not None else None
        before, since = self._settling.get(key, ((), 0.0))
        if before != fingerprint:
            self._settling[key] = (fingerprint, time.monotonic())
            return files is not None and time.time() - files.changed_at >= OLD_SECONDS
        return time.monotonic() - since >= SETTLE_SECONDS

    def _take(self, key: Key, files: ModelFiles, *, only_confirmed: bool = False) -> bool:
        """Serve the content of files, queue its compilation, or record why neither is possible.

        With `only_confirmed`, do nothing unless a card beside the files confirms them. Return
        whether anything was done.
        """
        try:
            content = artifacts.read(files, self._compiled_dir)
            if only_confirmed and not (
                isinstance(content, Artifact) and content.path.parent == files.path
            ):
                return False
            only_confirmed = False  # the files are complete, so any error from here on is final
            self._taken[key] = files.fingerprint
            if isinstance(content, Artifact):
                self._table.serve(key, content)
            else:
                self._compile(Job(*key, files, content))
        except Exception as error:  # noqa: BLE001  # one model's error must not stop the others
            if only_confirmed:
                return False
            if isinstance(error, OSError):
                # The files may become readable without a change, so the next scan tries again.
                self._taken.pop(key, None)
                reason = f"The model files cannot be read: {error.strerror}. Copy them again."
            else:
                self._taken[key] = files.fingerprint
                reason = str(error)
                if not isinstance(error, InvalidCardError | UnservableModelError):
                    reason = f"The model cannot be loaded: {type(error).__name__}: {error}"
            self._serve_previous(key, files)
            self._table.mark_failed(key, reason)
        return True

    def _compile(self, job: Job) -> None:
        """Queue a compilation, unless it failed in another worker."""
        key = (job.name, job.version)
        self._serve_previous(key, job.files)
        reason = compile_failures.read(job.pending.directory, job.files.changed_at)
        if reason is not None:
            self._mark_failed(job, reason)
        else:
            self._table.mark_compiling(key, job.pending.digest)
            self._queue.put(job)

    def _serve_previous(self, key: Key, files: ModelFiles) -> None:
        """Serve the LiteRT model beside a Keras file that is not served, or not yet."""
        before = self._table.get(key)
        if before is not None and before.resident is not None:
            return
        artifact = artifacts.read_previous(files)
        if artifact is not None:
            with contextlib.suppress(UnservableModelError):
                self._table.serve(key, artifact)

    def _mark_failed(self, job: Job, reason: str) -> None:
        key = (job.name, job.version)
        self._failed[key] = job
        self._table.mark_failed(key, reason, job.pending.digest)

    def _adopt_results(self) -> None:
        """Serve what another worker has compiled after all."""
        for key, job in list(self._failed.items()):
            if not self._is_wanted(job):
                del self._failed[key]
            elif artifacts.find_compiled(job.pending) is not None:
                del self._failed[key]
                self._take(key, job.files)

    def _log_once(self, message: str) -> None:
        if message not in self._logged:
            self._logged.add(message)
            logger.error(message)

    def _reload(self, model: ModelVersion) -> ModelVersion:
        """Return the current record of a version whose evicted file has changed.

        Scans the version at once, and waits for up to RELOAD_ATTEMPTS * RELOAD_SECONDS. Raises
        ModelNotReadyError and UnknownExperimentError.
        """
        key = (model.name, model.version)
        for _ in range(RELOAD_ATTEMPTS):
            with self._lock:
                if self._table.get(key) is model:
                    self._taken.pop(key, None)
                    self._scan([model.name])
            current = self.snapshot().find(*key)
            if current is not model:
                if current.resident is None:
                    return current
                with contextlib.suppress(ArtifactChangedError):
                    current.resident.network()
                    return current
            time.sleep(RELOAD_SECONDS)
        raise ModelNotReadyError

    def _is_wanted(self, job: Job) -> bool:
        with self._lock:
            return self._taken.get((job.name, job.version)) == job.files.fingerprint

    def _on_compiled(self, job: Job, reason: str | None) -> None:
        """Serve a compiled model, or record why it failed.

        If the files have changed meanwhile, do nothing: they have a job of their own.
        """
        key = (job.name, job.version)
        with self._lock:
            if not self._is_wanted(job):
                return
            if reason is None:
                self._take(key, job.files)
            else:
                self._mark_failed(job, reason)
            self._table.publish()
