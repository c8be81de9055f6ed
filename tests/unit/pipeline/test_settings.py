"""Settings of the pipeline."""

from pathlib import Path

import pytest

from pipeline.settings import from_environment


def test_settings_without_variables_are_the_documented_defaults() -> None:
    settings = from_environment({})

    assert settings.work == Path(".local/pipeline")
    assert settings.retrain_after_labels == 200
    assert (settings.gate_alpha, settings.gate_margin, settings.gate_min_gain) == (
        0.01,
        0.003,
        0.001,
    )
    assert not settings.promotes_automatically


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RETRAIN_SEEDS", "0"),
        ("RETRAIN_SEEDS", "1.5"),
        ("GATE_ALPHA", "5%"),
        ("GATE_ALPHA", "0.9"),
        ("AUTO_PROMOTE", "yes"),
        ("PIPELINE_HEARTBEAT_SECONDS", "nan"),
    ],
)
def test_settings_bad_value_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        from_environment({name: value})
