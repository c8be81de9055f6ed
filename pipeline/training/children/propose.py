"""Proposal program: asks Optuna for the hyperparameters of the next trials.

The request has `space`, `history` and `count`. Optuna keeps nothing: the study is rebuilt from the
history, a list of {params, value} in the order of the trials, with the mean accuracy as the value.
Equal histories give equal proposals, because the sampler's seed is the length of the history.
"""

from collections.abc import Mapping
from typing import Any

import optuna

from pipeline.training.children.program import Message, Send, serve

STARTUP_TRIALS = 5  # at random, before the estimator has something to learn from
SIGNIFICANT_DIGITS = 4  # of a proposed number: readable, and finer than a sweep can tell apart


def propose(request: Message, _send: Send) -> Message:
    """Return `proposals`, a list of `count` objects with a value for each name of the space."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space: dict[str, optuna.distributions.BaseDistribution] = {
        name: optuna.distributions.FloatDistribution(low, high, log=is_log)
        for name, (low, high, is_log) in request["space"]["ranges"].items()
    }
    for name, values in request["space"]["choices"].items():
        space[name] = optuna.distributions.CategoricalDistribution(values)
    history = request["history"]
    sampler = optuna.samplers.TPESampler(n_startup_trials=STARTUP_TRIALS, seed=len(history))
    study = optuna.create_study(sampler=sampler, direction="maximize")
    for trial in history:
        study.add_trial(
            optuna.trial.create_trial(
                params=trial["params"], distributions=space, value=trial["value"]
            )
        )
    proposals = [study.ask(space).params for _ in range(request["count"])]
    return {"proposals": [_readable(params, space) for params in proposals]}


def _readable(params: Mapping[str, Any], space: Mapping[str, Any]) -> dict[str, Any]:
    """Round the numbers of a proposal within their bounds."""
    rounded: dict[str, Any] = {}
    for name, value in params.items():
        distribution = space[name]
        if isinstance(distribution, optuna.distributions.FloatDistribution):
            number = float(f"{value:.{SIGNIFICANT_DIGITS}g}")
            rounded[name] = min(max(number, distribution.low), distribution.high)
        else:
            rounded[name] = value
    return rounded


if __name__ == "__main__":
    serve(propose)
