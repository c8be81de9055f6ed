"""Results: selections, image batches with problems, and the consensus by task."""

import numpy as np

from inference.errors import (
    JournalFullError,
    ModelNotReadyError,
    UnreadableImageError,
    UnsupportedImageError,
)
from inference.prediction.results import (
    ImageBatch,
    ModelSelection,
    NotFiniteError,
    PredictionBatch,
    UnavailableModel,
)
from inference.preprocessing.digits import PreprocessedImage
from inference.runtime.outputs import Outputs, collect_outputs
from tests.support.fake_models import FakeNetwork, image, loaded

ABSENT = UnavailableModel("gone", ModelNotReadyError())


def read(source: int) -> PreprocessedImage:
    if source < 0:
        raise UnreadableImageError("negative")
    return image(source)


def outputs(*rows: tuple[float, ...]) -> Outputs:
    [collected] = collect_outputs([(np.array(rows, np.float32), [False] * len(rows))])
    return collected


def test_selection_groups_voters_by_task() -> None:
    selection = ModelSelection([loaded("a"), ABSENT, loaded("b", task="letters"), loaded("c")])
    indexes = {task: [index for index, _ in voters] for task, voters in selection.voters.items()}
    assert indexes == {"mnist": [0, 3], "letters": [2]}


def test_selection_is_complete_only_without_unavailable_models() -> None:
    assert ModelSelection([loaded()]).is_complete
    assert not ModelSelection([loaded(), ABSENT]).is_complete


def test_selection_seconds_per_image_adds_up_loaded_models() -> None:
    slow = FakeNetwork(seconds_per_image=0.5)
    assert ModelSelection([loaded("a", slow), ABSENT, loaded("b", slow)]).seconds_per_image == 1.0


def test_image_batch_keeps_the_place_of_each_problem() -> None:
    batch = ImageBatch.read([1, -1, 2], read, start=10)
    assert (batch.start, [own.digest for own in batch.images]) == (
        10,
        [image(1).digest, image(2).digest],
    )
    assert [type(problem) for problem in batch.problems] == [
        type(None),
        UnreadableImageError,
        type(None),
    ]


def test_failed_batch_keeps_earlier_problems() -> None:
    failed = ImageBatch.read([1, -1], read).failed(JournalFullError())
    assert failed.images == []
    assert [type(problem) for problem in failed.problems] == [
        JournalFullError,
        UnreadableImageError,
    ]


def test_batch_of_unreadable_images_has_no_image() -> None:
    def refuse(_source: int) -> PreprocessedImage:
        raise UnsupportedImageError

    batch = ImageBatch.read([1, 2], refuse)
    assert (list(batch.images), len(batch.problems)) == ([], 2)


def test_consensus_is_by_task_over_loaded_models() -> None:
    selection = ModelSelection([loaded("a"), ABSENT, loaded("b"), loaded("c", task="letters")])
    columns = [outputs((0.9, 0.1)), None, outputs((0.2, 0.8)), outputs((0.0, 1.0))]
    consensus = PredictionBatch(selection, ImageBatch.read([1], read), columns).consensus()
    [digit], [letter] = consensus["mnist"], consensus["letters"]
    assert digit is not None
    assert (digit.label, digit.votes) == ("x", {"x": 1, "y": 1})
    assert letter is not None
    assert (letter.label, letter.disagreement) == ("y", 0)


def test_not_finite_error_is_a_failed_model_with_its_own_detail() -> None:
    document = NotFiniteError().document()
    assert (document["status"], document["type"]) == (503, "urn:mlops:problem:model-failed")
    assert "not finite" in document["detail"]


def test_consensus_leaves_out_images_with_a_warning() -> None:
    warned = image(1)._replace(warnings=("no digit found",))
    batch = ImageBatch(0, [warned, image(2)], [None, None])
    selection = ModelSelection([loaded("a"), loaded("b", task="letters")])
    columns = [outputs((0.9, 0.1), (0.9, 0.1)), outputs((0.0, 1.0), (0.0, 1.0))]
    consensus = PredictionBatch(selection, batch, columns).consensus()
    assert [consensus[task][0] for task in ("mnist", "letters")] == [None, None]
    assert all(found[1] is not None for found in consensus.values())
