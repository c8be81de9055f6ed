"""Settings of the inference service: defaults, values and the variables named in errors."""

from pathlib import Path

import pytest

from inference.settings import from_environment


def test_defaults_apply_to_unset_and_empty_variables() -> None:
    empty = dict.fromkeys(("API_PORT", "MAX_REQUESTS", "IMAGES_KEEP_DAYS", "MODELS_DIR"), "")
    assert from_environment(empty) == from_environment({})
    assert (from_environment({}).port, from_environment({}).models_dir) == (9090, Path("models"))


def test_values_are_parsed() -> None:
    settings = from_environment(
        {
            "API_PORT": "80",
            "CACHE_ENTRIES": "0",
            "FAST_PATH": "0",
            "JOURNAL_FULL": "drop",
            "IMAGES_KEEP_DAYS": "0.5",
            "ALLOWED_HOSTS": "A.example, b.example",
            "API_KEYS_FILE": "keys",
            "DEFAULT_TASK": "parity",
            "FORWARDED_ALLOW_IPS": "10.0.0.0/8",
            "API_KEYS_FOR_READS": "0",
            "PROBE_MIN_ACCURACY": "0.25",
            "DASHBOARD_URL": "https://mlops.example.org/board",
        }
    )
    assert (settings.port, settings.cache_entries, settings.fast_path) == (80, 0, False)
    assert (settings.refuses_when_full, settings.images_keep_days) == (False, 0.5)
    assert settings.allowed_hosts == {"a.example", "b.example"}
    assert (settings.api_keys_file, settings.reads_need_key) == (Path("keys"), False)
    assert from_environment({}).reads_need_key
    assert settings.probe_min_accuracy == 0.25
    assert settings.dashboard_url == "https://mlops.example.org/board"
    assert from_environment({}).dashboard_url == ":8501"
    assert (settings.default_task, settings.trusted_proxies) == ("parity", "10.0.0.0/8")
    assert from_environment({}).default_task == "mnist"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, (2**21, 2**24)),
        ({"MAX_IMAGE_BYTES": str(2**24)}, (2**24, 2**24 + 65_536)),
        ({"MAX_IMAGE_BYTES": str(2**24), "MAX_REQUEST_BYTES": "999"}, (2**24, 999)),
    ],
)
def test_request_limit_has_room_for_the_largest_image(
    variables: dict[str, str], expected: tuple[int, int]
) -> None:
    settings = from_environment(variables)
    assert (settings.max_image_bytes, settings.max_request_bytes) == expected


@pytest.mark.parametrize(
    ("variables", "port"),
    [
        ({"PORT": "8080"}, 8080),
        ({"PORT": "8080", "API_PORT": "80"}, 8080),
        ({"PORT": "", "API_PORT": "80"}, 80),
    ],
)
def test_port_of_the_platform_comes_first(variables: dict[str, str], port: int) -> None:
    assert from_environment(variables).port == port


def test_drain_takes_seconds_and_is_off_by_default() -> None:
    assert from_environment({}).drain_seconds == 0
    assert from_environment({"DRAIN_SECONDS": "2.5"}).drain_seconds == 2.5


def test_registry_is_off_by_default() -> None:
    settings = from_environment({})
    assert (settings.models_url, settings.models_poll_seconds) == ("", 2.0)
    environment = {"MODELS_URL": "s3://bucket/models", "MODELS_POLL_SECONDS": "0.5"}
    settings = from_environment(environment)
    assert (settings.models_url, settings.models_poll_seconds) == ("s3://bucket/models", 0.5)


@pytest.mark.parametrize("value", ["0", "-1", "3601", "nan", "often"])
def test_poll_interval_out_of_range_is_named(value: str) -> None:
    with pytest.raises(ValueError, match=r"MODELS_POLL_SECONDS must be a number from 0\.1 to 3600"):
        from_environment({"MODELS_POLL_SECONDS": value})


@pytest.mark.parametrize(("value", "expected"), [(None, True), ("1", True), ("0", False)])
def test_monitor_runs_unless_it_is_turned_off(value: str | None, *, expected: bool) -> None:
    environment = {} if value is None else {"MONITOR": value}
    assert from_environment(environment).monitors is expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_PORT", "http"),
        ("API_PORT", "65536"),
        ("PORT", "0"),
        ("DRAIN_SECONDS", "-1"),
        ("DRAIN_SECONDS", "3601"),
        ("DRAIN_SECONDS", "5s"),
        ("API_WORKERS", "0"),
        ("MAX_IMAGE_BYTES", "-1"),
        ("MAX_REQUEST_BYTES", "16MB"),
        ("MAX_REQUESTS", "1.5"),
        ("MODELS_MEMORY_BYTES", "0"),
        ("CACHE_ENTRIES", "-1"),
        ("JOURNAL_BYTES", "many"),
        ("JOURNAL_FULL", "wait"),
        ("API_KEYS_FOR_READS", "no"),
        ("PROBE_MIN_ACCURACY", "70 %"),
        ("PROBE_MIN_ACCURACY", "1.5"),
        ("PROBE_MIN_ACCURACY", "nan"),
        ("LOG_SHARE", "1.1"),
        ("IMAGES_KEEP_DAYS", "0"),
        ("IMAGES_KEEP_DAYS", "nan"),
        ("IMAGES_KEEP_DAYS", "36501"),
        ("IMAGES_KEEP_DAYS", "a week"),
        ("DASHBOARD_URL", "8501"),
        ("DASHBOARD_URL", "javascript:x"),
    ],
)
def test_invalid_value_is_an_error_with_its_variable(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be .*not '{value}'"):
        from_environment({name: value})
