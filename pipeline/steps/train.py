"""Step train: searches hyperparameters if the run asks for it, trains the seeds and chooses one."""

from typing import Any

from pipeline.data import prepared
from pipeline.steps.context import PermanentError, StepContext
from pipeline.training.candidates import choose, train_seeds
from pipeline.training.recipe import read_recipe, read_seeds
from pipeline.training.sweep import search
from servicekit.search_space import InvalidSweepError, read


def run(context: StepContext) -> dict[str, Any]:
    """Return every seed with its result, and the one with the best validation accuracy.

    Safe to repeat: trainings that have a result are not repeated, and one that was stopped goes on
    after its last epoch.
    """
    recipe = read_recipe(context)
    seeds = read_seeds(context)
    prepared.ensure(context)
    params = recipe.params
    if context.run.params.get("sweep") is not None:
        try:
            space = read(context.run.params["sweep"])
        except InvalidSweepError as error:
            raise PermanentError(f"{error} Correct the sweep of the run.") from None
        params = search(context, recipe, space)
    candidates = train_seeds(context, recipe, seeds, params)
    chosen = choose(candidates)
    return {
        "seeds": [candidate.document() for candidate in candidates],
        "chosen_seed": chosen.seed,
        "chosen": {
            "artifact_url": chosen.result.artifact_url,
            "model_digest": chosen.result.model_digest,
            "params": params,
        },
    }
