"""Composition root: builds the service from its settings. Nothing is loaded before it starts."""

import gc
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from inference.api.aliases import AliasesApi
from inference.api.connexion_app import ROUTES, Handler, create_connexion_app
from inference.api.diagnostics.explanations import ExplanationsApi
from inference.api.diagnostics.robustness import RobustnessApi
from inference.api.experiments import ExperimentsApi
from inference.api.fast_path import FastPath
from inference.api.images import ImagesApi
from inference.api.imports import ImportsApi
from inference.api.inference import InferenceApi
from inference.api.learning import operations
from inference.api.learning.streaming import StreamingOperations
from inference.api.models import ModelsApi
from inference.api.monitoring import operations as monitoring
from inference.api.predictions import PredictionsApi
from inference.api.response_encoding import ResponseEncoder
from inference.api.status import StatusApi
from inference.api.tracking.addresses import FORWARDED_OPERATIONS, Addresses
from inference.api.tracking.browser_page import BrowserPage
from inference.api.tracking.forwarder import TrackingForwarder, forwarded
from inference.database.experiments import Experiments
from inference.database.imports import Imports
from inference.database.pool import Database
from inference.database.predictions import History
from inference.drain import Drain
from inference.models.aliases import ALIASES_FILE, Aliases
from inference.models.metrics import ModelStates
from inference.models.promotion import Promotions
from inference.models.replica import Replica
from inference.models.repository import ModelRepository
from inference.models.version import ModelVersion
from inference.models.version_table import Listener
from inference.observability.background_metrics import BackgroundCollector
from inference.observability.metrics import MULTIPROCESS_VARIABLE, Metrics
from inference.observability.process_metrics import WorkerProcessCollector
from inference.observability.shared_directory import WorkerDocuments
from inference.observability.tracking_metrics import TrackingCollector
from inference.originals.open_store import open_store
from inference.originals.reader import OriginalReader
from inference.prediction.predictor import Predictor
from inference.prediction.resolver import ModelResolver
from inference.prediction_log.backlog import pending_bytes
from inference.prediction_log.journal import Journal
from inference.prediction_log.log_status import LogStatus
from inference.prediction_log.metrics import JournalCollector
from inference.prediction_log.recorder import PredictionLog
from inference.protocols.application import ProtocolApplication
from inference.protocols.catalog import Catalog
from inference.protocols.runner import Runner
from inference.protocols.tensor_path import TensorPath
from inference.registry.metrics import MirrorCollector
from inference.registry.mirror_status import MirrorReadiness
from inference.runtime.malloc import trim_heap
from inference.server import protocol_paths
from inference.server.access import AccessPolicy
from inference.server.admission import AdmissionController
from inference.server.api_keys import ApiKeys
from inference.server.direct.direct_requests import INFER, PREDICT
from inference.server.gateway import Gateway
from inference.settings import Settings
from servicekit.tracking_status import SOCKET_VARIABLE
from servicekit.trusted_hosts import TrustedHosts

# A call of many models makes more objects than the 700 after which Python by default collects
# garbage; there is none.
GC_THRESHOLDS = 20_000, 20, 100
# So many of the largest bodies are read at once; each takes up to four times its size meanwhile.
MAX_LARGE_BODIES = 4


def create_app(settings: Settings, drain: Drain | None = None) -> ASGIApp:
    """Return the service as an ASGI application; its lifespan loads the models and closes all."""
    aliases = Aliases(settings.journal_dir / ALIASES_FILE)
    models = ModelRepository(
        settings.models_dir,
        settings.compiled_dir,
        settings.models_memory_bytes,
        aliases.targets,
        settings.probe_min_accuracy,
    )
    database = Database()
    metrics, model_states = _create_metrics(settings, aliases)
    journal = (
        Journal(settings.journal_dir, settings.journal_bytes, metrics.journal_lost.inc)
        if settings.journal_bytes
        else None
    )
    replica = Replica.find(settings.journal_dir, settings.port)
    log = PredictionLog(
        journal,
        metrics,
        keeps_originals=settings.stores_images,
        refuses=settings.refuses_when_full,
        replica=replica,
        share=settings.log_share,
    )
    log_status = LogStatus(journal, settings.journal_max_wait_seconds)
    if journal is not None:
        metrics.register(JournalCollector(settings.journal_dir, log_status))
    resolver = ModelResolver(models, settings.default_task)
    predictor = Predictor(
        resolver,
        metrics,
        log,
        max_image_bytes=settings.max_image_bytes,
        cache_entries=settings.cache_entries,
    )
    encoder = ResponseEncoder()

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        aliases.start()
        if journal is not None:
            journal.watch()
        await run_in_threadpool(models.load)
        models.subscribe(_listener(metrics, model_states, log))
        # Objects of the start stay: without this, each full collection scans them all and stops
        # every request for 50 ms.
        gc.collect()
        trim_heap()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        yield
        predictor.close()
        models.close()
        aliases.close()
        if journal is not None:
            journal.close()
        database.close()

    inference = InferenceApi(predictor, encoder)

    def pending() -> int:
        try:
            return pending_bytes(settings.journal_dir)
        except OSError:  # an unreadable log may hold records
            return 1

    predictions = PredictionsApi(predictor, encoder, History(database, pending))
    experiments_table = Experiments(database)
    experiments = ExperimentsApi(experiments_table, models)
    model_versions = ModelsApi(models, aliases, resolver)
    promotions = AliasesApi(Promotions(database, models, aliases))
    imports = ImportsApi(Imports(database))
    learning = operations.build(
        database, experiments_table, open_store(settings.images_url), aliases.record_move
    )
    images = ImagesApi(OriginalReader(database, settings.images_url))
    keys = ApiKeys(settings.api_keys_file) if settings.api_keys_file is not None else None
    status = StatusApi(
        models,
        database,
        log_status,
        metrics,
        keys,
        drain,
        replica.id,
        _mirror_readiness(settings, metrics),
    )
    handlers: dict[str, Handler] = {
        "infer": inference.infer,
        "predict": predictions.predict,
        "explain": ExplanationsApi(predictor).explain,
        "list_predictions": predictions.list_predictions,
        "get_prediction": predictions.get_prediction,
        "label_prediction": predictions.label_prediction,
        "list_experiments": experiments.list_experiments,
        "get_experiment": experiments.get_experiment,
        "list_models": model_versions.list_models,
        "get_model": model_versions.get_model,
        "get_model_version": model_versions.get_model_version,
        "get_robustness": RobustnessApi(settings.models_dir, resolver).get_robustness,
        "list_aliases": promotions.list_aliases,
        "get_alias": promotions.get_alias,
        "move_alias": promotions.move_alias,
        "roll_alias_back": promotions.roll_alias_back,
        "list_imports": imports.list_imports,
        "get_image": images.get_image,
        "get_protocol_document": status.protocol_document,
        "health": status.health,
        "readiness": status.readiness,
        "metrics": status.metrics,
        **dict.fromkeys(FORWARDED_OPERATIONS, forwarded),
        **learning.handlers,
        **monitoring.build(database),
    }
    # Redirects name the scheme under which a trusted proxy was asked. uvicorn's ASGI types differ.
    connexion_app: Any = create_connexion_app(handlers, metrics, lifespan)
    streaming: Any = StreamingOperations(
        connexion_app,
        ROUTES.base_path,
        learning.uploads,
        learning.streams,
        settings.journal_dir,  # unnamed files: on a disk, and gone after a crash
        metrics.count_limit,
    )
    protocols: Any = ProtocolApplication(
        _forwarding(streaming, settings, metrics),
        Runner(predictor),
        Catalog(models, resolver),
        status.is_serving,
        invocations_model=settings.invocations_model,
        max_request_bytes=settings.max_request_bytes,
        count_refusal=metrics.journal_refused.inc,
    )
    return Gateway(
        protocols,
        ROUTES,
        FastPath(predictor, encoder) if settings.fast_path else None,
        metrics,
        AdmissionController(settings.max_requests, MAX_LARGE_BODIES * settings.max_request_bytes),
        AccessPolicy(
            TrustedHosts(settings.allowed_hosts),
            keys,
            ROUTES.private_reads if settings.reads_need_key else frozenset(),
        ),
        settings.max_request_bytes,
        drain,
        TensorPath(predictor) if settings.fast_path else None,
    )


def _forwarding(application: Any, settings: Settings, metrics: Metrics) -> Any:
    """Return the application with the page for browsers and the forwarding of runs in front of it.

    uvicorn's ASGI types differ.
    """
    page: Any = BrowserPage(application, settings.dashboard_url)
    proxied: Any = ProxyHeadersMiddleware(page, settings.trusted_proxies)
    return TrackingForwarder(
        proxied,
        Addresses(ROUTES.base_path),
        os.environ.get(SOCKET_VARIABLE) if settings.tracks else None,
        ROUTES.streamed_bytes,
        metrics.count_limit,
    )


def _create_metrics(settings: Settings, aliases: Aliases) -> tuple[Metrics, ModelStates]:
    """Return the metrics with the series that are known now, and the states of the models."""
    metrics = Metrics()
    metrics.create_series(
        ROUTES.labels,
        [*ROUTES.fast_paths.values(), INFER, PREDICT],
        protocol_paths.OPERATIONS,
    )
    shared = os.environ.get(MULTIPROCESS_VARIABLE)
    workers = WorkerDocuments(Path(shared) if shared else None, settings.workers)
    model_states = ModelStates(workers, aliases.targets)
    metrics.register(model_states)
    metrics.register(WorkerProcessCollector(workers))
    metrics.register(BackgroundCollector(settings.journal_dir))
    if settings.tracks and SOCKET_VARIABLE in os.environ:
        metrics.register(TrackingCollector(Path(os.environ[SOCKET_VARIABLE])))
    return metrics, model_states


def _mirror_readiness(settings: Settings, metrics: Metrics) -> MirrorReadiness | None:
    """Return the readiness of a mirrored model directory, None without a model registry."""
    if not settings.models_url:
        return None
    metrics.register(MirrorCollector(settings.models_dir))
    return MirrorReadiness(settings.models_dir, settings.models_url)


def _listener(metrics: Metrics, model_states: ModelStates, log: PredictionLog) -> Listener:
    """Return what the repository calls when a model has changed."""

    def on_change(versions: Sequence[ModelVersion]) -> None:
        for version in versions:
            metrics.create_task(version.task)
        model_states.publish(versions)
        log.record_versions(versions)

    return on_change
