"""The service works without what Connexion imports in vain."""

import subprocess
import sys

from inference.import_stubs import UNUSED

# What a worker does at its start, and what it then finds among the modules; then what others
# import.
START = """
import json, sys
from inference.__main__ import worker
worker()
left_out = [name for name in {unused} if name in sys.modules]
import httpx, requests, starlette.testclient
print(json.dumps([left_out, httpx.Client.__module__, requests.Session.__module__, starlette.testclient.TestClient.__module__]))
"""


def test_a_worker_starts_without_it_and_others_still_find_it() -> None:
    code = START.format(unused=UNUSED)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == '[[], "httpx", "requests.sessions", "starlette.testclient"]'
