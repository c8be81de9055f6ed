"""Server of the dashboard."""

from pathlib import Path

import pytest
from streamlit import file_util

from web.server import MODULES
from web.serving.static_files import StaticFiles


@pytest.mark.parametrize("name", sorted({name for names in MODULES.values() for name in names}))
def test_streamlit_has_the_modules_of_a_page(name: str) -> None:
    """A new version of Streamlit may rename them, and the browser would load them late."""
    assert StaticFiles(Path(file_util.get_static_dir())).modules([name])
