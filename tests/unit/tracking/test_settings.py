"""Settings of the tracking process."""

import pytest

from tracking.settings import Settings, from_environment


def test_settings_have_defaults() -> None:
    assert from_environment({}) == Settings(".local/images", "mnist", 600, 2**20)


@pytest.mark.parametrize("name", ["RUN_SILENT_SECONDS", "RUN_ARTIFACT_MAX_BYTES"])
@pytest.mark.parametrize("text", ["0", "x", "-1", "1.5", "99999999"])
def test_invalid_setting_is_refused(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=name):
        from_environment({name: text})
