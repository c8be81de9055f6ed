"""Plans: the steps of each kind of run, and the module of each step."""

from pathlib import Path

import pytest

from pipeline.steps import plan
from pipeline.steps.context import Run

FOLDER = Path(plan.__file__).parent


def run(kind: str) -> Run:
    return Run(1, kind, "mnist", "a", {}, None, "api")


def test_every_step_of_every_plan_has_a_module() -> None:
    names = {name for names in plan.PLANS.values() for name in names}
    assert {name for name in names if (FOLDER / f"{name}.py").is_file()} == names


def test_compare_skips_what_comes_before_evaluate() -> None:
    assert plan.skipped_steps(run("compare")) == ("ingest", "validate", "prepare", "train")
    assert plan.skipped_steps(run("retrain")) == ()


@pytest.mark.parametrize("kind", ["retrain", "compare", "score", "publish"])
def test_steps_that_depend_on_code_come_after_prepare(kind: str) -> None:
    names = plan.steps_of(run(kind))
    after = names[names.index("prepare") + 1 :] if "prepare" in names else ()
    assert set(plan.DEPENDENT_ON_CODE) & set(names) == set(after)


def test_load_returns_the_function_of_a_step() -> None:
    assert plan.load("promote").__module__ == "pipeline.steps.promote"
