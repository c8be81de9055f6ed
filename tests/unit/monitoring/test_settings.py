"""Settings of the monitor: programs that are ignored, and limits."""

import pytest

from monitoring.settings import from_environment


@pytest.mark.parametrize(
    ("ignores", "source", "path", "expected"),
    [
        (None, "mlops-evaluation", "as_sent", True),
        (None, "mlops-dashboard", "framed", True),
        (None, "mlops-dashboard", "as_sent", False),
        (None, "mlops-dashboard-two", "framed", False),
        (None, None, "framed", False),
        ("curl, load:as_sent", "curl/8.5", "framed", True),
        ("curl, load:as_sent", "load/1", "as_sent", True),
        ("curl, load:as_sent", "load/1", "framed", False),
        ("", "mlops-evaluation", "as_sent", False),
    ],
)
def test_ignores_by_program_and_path(
    ignores: str | None, source: str | None, path: str, *, expected: bool
) -> None:
    settings = from_environment({} if ignores is None else {"MONITOR_IGNORES": ignores})
    assert settings.ignores(source, path) is expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MONITOR_IGNORES", "curl:sent"),
        ("MONITOR_IGNORES", ":framed"),
        ("MONITOR_IMAGES_PER_SECOND", "0"),
        ("MONITOR_IMAGES_PER_SECOND", "fast"),
        ("MONITOR_METRICS_PORT", "65536"),
    ],
)
def test_invalid_value_is_an_error_with_its_variable(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must .*not '{value}'"):
        from_environment({name: value})


def test_port_0_turns_the_metrics_off() -> None:
    assert from_environment({"MONITOR_METRICS_PORT": "0"}).metrics_port == 0
