"""Addresses that MLflow's client prints, in a real browser."""

import re
import time
import uuid
from http import HTTPStatus
from typing import Any

import requests
from playwright.sync_api import Page, expect

from tests.support.dashboard import FIRST_PAINT_MILLISECONDS


def start_run(api_url: str, project: str) -> Any:
    """Start a run, as soon as the tracking process answers."""
    document = {"name": f"linked_{uuid.uuid4().hex[:8]}", "project": project}
    for _ in range(300):
        response = requests.post(f"{api_url}/experiments", json=document, timeout=10)
        if response.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
            break
        time.sleep(0.1)
    response.raise_for_status()
    return response.json()


def test_addresses_of_mlflow_lead_to_the_dashboard(stack: Any, page: Page) -> None:
    root = stack.api_url.removesuffix("/api/v1.0")
    assert requests.get(root, timeout=10).json() == {
        "status": "alive"
    }  # only a browser gets the page
    run = start_run(stack.api_url, 'say "hi"')
    found = requests.get(
        f"{root}/api/2.0/mlflow/runs/get", params={"run_id": run["run_id"]}, timeout=10
    ).json()
    project = found["run"]["info"]["experiment_id"]
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))

    page.goto(f"{root}/#/experiments/{project}/runs/{run['run_id']}")
    expect(page.get_by_role("heading", name=run["name"], exact=True)).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    expect(page).to_have_url(f"{stack.web_url}/run?name={run['name']}")

    page.goto(f"{root}/#/experiments/{project}")
    expect(page).to_have_url(re.compile(rf"^{stack.web_url}/\?filter=project"))
    box = page.get_by_role("searchbox", name="Filter")
    expect(box).to_have_value('project = "say ""hi"""', timeout=FIRST_PAINT_MILLISECONDS)

    page.goto(f"{root}/#/experiments/999999")
    expect(page).to_have_url(re.compile(rf"^{stack.web_url}/"))
    page.goto(root)
    expect(page).to_have_url(f"{root}/api/v1.0/ui/")
    assert errors == []
