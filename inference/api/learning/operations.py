"""Operations of the learning loop: builds its resources and names the handler of each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from inference.api.learning import publications, streamed_uploads, uploads
from inference.api.learning.datasets import DatasetsApi
from inference.api.learning.evaluations import EvaluationsApi
from inference.api.learning.label_requests import LabelRequestsApi
from inference.api.learning.publications import PublicationsApi
from inference.api.learning.run_stream import RunStreams
from inference.api.learning.runs import RecordMove, RunsApi
from inference.api.learning.schedules import SchedulesApi
from inference.api.learning.streamed_uploads import StreamedUpload
from inference.api.learning.streaming import streamed
from inference.api.learning.uploads import UploadsApi
from inference.database.experiments import Experiments
from inference.database.learning.datasets import Datasets
from inference.database.learning.evaluations import Evaluations
from inference.database.learning.label_requests import LabelRequests
from inference.database.learning.run_requests import RunRequests
from inference.database.learning.runs import Runs
from inference.database.learning.schedules import Schedules
from inference.database.learning.uploads import Uploads
from inference.database.pool import Database
from inference.originals.store import OriginalStore


@dataclass(frozen=True)
class LearningOperations:
    """Handlers by operationId of openapi.yaml, and the parts that the streaming layer needs."""

    handlers: dict[str, Callable[..., Any]]
    uploads: tuple[StreamedUpload, ...]
    streams: RunStreams


def build(
    database: Database,
    experiments: Experiments,
    store: OriginalStore,
    record_move: RecordMove,
) -> LearningOperations:
    """Build the operations; uploads go to the store, moves of aliases to `record_move`."""
    datasets_table = Datasets(database)
    uploads_api = UploadsApi(Uploads(database), store)
    datasets = DatasetsApi(datasets_table)
    runs_table, requests = Runs(database), RunRequests(database)
    runs = RunsApi(runs_table, requests, datasets_table, experiments.tasks, record_move)
    publications_api = PublicationsApi(requests, runs_table, store)
    schedules = SchedulesApi(Schedules(database), datasets_table, experiments.tasks)
    labels = LabelRequestsApi(LabelRequests(database))
    evaluations = EvaluationsApi(Evaluations(database))
    handlers: dict[str, Callable[..., Any]] = {
        "load_new_data": streamed,
        "publish_model": streamed,
        "list_uploads": uploads_api.list_uploads,
        "get_upload": uploads_api.get_upload,
        "list_datasets": datasets.list_datasets,
        "get_dataset": datasets.get_dataset,
        "list_dataset_images": datasets.list_dataset_images,
        "get_header": datasets.get_header,
        "get_dataset_header": datasets.get_dataset_header,
        "retrain": runs.retrain,
        "score": runs.score,
        "list_runs": runs.list_runs,
        "get_run": runs.get_run,
        "list_run_steps": runs.list_run_steps,
        "cancel_run": runs.cancel_run,
        "retry_run": runs.retry_run,
        "promote_run": runs.promote_run,
        "list_schedules": schedules.list_schedules,
        "get_schedule": schedules.get_schedule,
        "put_schedule": schedules.put_schedule,
        "delete_schedule": schedules.delete_schedule,
        "list_label_requests": labels.list_label_requests,
        "request_labels": labels.request_labels,
        "skip_label_request": labels.skip_label_request,
        "withdraw_label": labels.withdraw_label,
        "add_evaluation": evaluations.add_evaluation,
        "list_evaluations": evaluations.list_evaluations,
    }
    streamed_operations = (
        StreamedUpload(
            streamed_uploads.UPLOAD_PATH,
            uploads.FORM,
            streamed_uploads.only_task,
            uploads_api.store,
        ),
        StreamedUpload(
            streamed_uploads.MODEL_PATH,
            publications.FORM,
            streamed_uploads.model_name,
            publications_api.store,
        ),
    )
    return LearningOperations(handlers, streamed_operations, RunStreams(runs.get_run))
