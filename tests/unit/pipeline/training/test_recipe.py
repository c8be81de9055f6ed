"""Recipe: experiments that exist, their task, the seeds and the hyperparameters."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from pipeline.settings import from_environment
from pipeline.steps.context import PermanentError, Run, StepContext
from pipeline.training.recipe import read_recipe, read_seeds

LENET5 = "mnist_experiment_12__lenet5"
OUTPUTS = {
    "ingest": {"digest": "d" * 64},
    "prepare": {"file": "data/prepared.npz", "sha256": "a" * 64},
}


def context_of(name: str = LENET5, task: str = "mnist", **params: Any) -> StepContext:
    run = Run(20, "retrain", task, name, params, None, "api")
    settings = from_environment({"RETRAIN_SEEDS": "4"})
    return StepContext(run, "train", "", OUTPUTS, Path("/run"), settings, cast("Any", None))


def test_read_recipe_names_data_and_run() -> None:
    recipe = read_recipe(context_of())
    assert (recipe.data_file, recipe.origin.run_id) == (Path("/run/data/prepared.npz"), 20)
    assert (recipe.provenance.data_sha256, recipe.origin.dataset_digest) == ("a" * 64, "d" * 64)
    assert recipe.params == {"learning_rate": 0.01, "momentum": 0.9, "batch_size": 64}


def test_read_recipe_of_another_task() -> None:
    recipe = read_recipe(context_of("parity_experiment_3__lenet5", "parity"))
    assert recipe.experiment.task.labels == ("even", "odd")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnist_experiment_12_lenet5", f"Did you mean {LENET5}"),
        ("lenet5_augmented", "mnist_experiment_22__lenet5_augmented"),
        ("../../x", "not an experiment that can be trained"),
        ("Q", "Add it to .*training/experiments"),
    ],
)
def test_read_recipe_of_an_unknown_experiment_lists_close_names(name: str, message: str) -> None:
    with pytest.raises(PermanentError, match=message):
        read_recipe(context_of(name))


def test_read_recipe_of_an_experiment_of_another_task_raises() -> None:
    with pytest.raises(PermanentError, match="trains the task mnist, not parity"):
        read_recipe(context_of(task="parity"))


def test_read_recipe_of_an_invalid_file_names_the_key(tmp_path: Path) -> None:
    (tmp_path / f"{LENET5}.toml").write_text("rate = 3")
    with pytest.raises(PermanentError, match=r"architecture.*Correct the file"):
        read_recipe(context_of(), tmp_path)


def test_job_has_seed_and_hyperparameters_and_keeps_the_model() -> None:
    recipe = read_recipe(context_of())
    recipe = replace(recipe, experiment=replace(recipe.experiment, keep_model=False))
    job = recipe.job(Path("/run/seed_3"), 3, {"learning_rate": 0.5})
    experiment = job.experiment
    assert (experiment.seed, experiment.learning_rate, experiment.keep_model) == (3, 0.5, True)
    with pytest.raises(PermanentError, match=r"momentum must lie in 0\.\.1"):
        recipe.job(Path("/run"), 3, {"momentum": 2.0})


@pytest.mark.parametrize(
    ("params", "seeds"),
    [({}, [1, 2, 3, 4]), ({"seeds": None}, [1, 2, 3, 4]), ({"seeds": 2}, [1, 2])],
)
def test_read_seeds_counts_from_one(params: dict[str, Any], seeds: list[int]) -> None:
    assert list(read_seeds(context_of(**params))) == seeds


@pytest.mark.parametrize("seeds", [0, 101, "3", 1.5, True, [1]])
def test_read_seeds_invalid_number_raises(seeds: object) -> None:
    with pytest.raises(PermanentError, match="integer from 1 to 100"):
        read_seeds(context_of(seeds=seeds))
