"""Code snippets to copy: the same requests with curl and Python."""

import shlex
from collections.abc import Sequence
from urllib.parse import urlencode


def curl(api_url: str, name: str) -> str:
    """Return a command that predicts digit.png with one model."""
    url = f"{api_url}/inference?experiment_name={name}"
    return f"curl -F image_blob=@digit.png {shlex.quote(url)}"


def curl_many(api_url: str, names: Sequence[str], files: Sequence[str]) -> str:
    """Return a command that predicts image files with several models in one request.

    Args:
        api_url: base URL of the API.
        names: names of the models, or ["all"].
        files: names of the image files.

    """
    query = urlencode([("experiments", name) for name in names])
    parts = [
        shlex.quote(f'images=@"{_escape(file)}"' if set(file) & set(',;"\\') else f"images=@{file}")
        for file in files
    ]
    return " \\\n  ".join(
        ["curl", *(f"-F {part}" for part in parts), shlex.quote(f"{api_url}/predictions?{query}")]
    )


def _escape(file: str) -> str:
    return file.replace("\\", "\\\\").replace('"', '\\"')


def python(api_url: str, name: str) -> str:
    """Return a program that predicts digit.png with one model, with requests."""
    return f"""import requests

with open("digit.png", "rb") as image:
    response = requests.post(
        {api_url + "/inference"!r},
        params={{"experiment_name": {name!r}}},
        files={{"image_blob": image}},
        timeout=10,
    )
response.raise_for_status()
print(response.json()["class"])
"""
