"""Start of runs."""

import sys
import uuid
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ml_ops_starter_client import leftovers, settings
from ml_ops_starter_client.records import NAME_PATTERN
from ml_ops_starter_client.runs import Run, is_interactive, now
from ml_ops_starter_client.sender import Sender
from ml_ops_starter_client.spool import Header

# start() waits so long for the service to name the run.
START_SECONDS = 5.0


def start(
    name: str | None = None,
    *,
    project: str | None = None,
    task: str | None = None,
    url: str | None = None,
    api_key: str | None = None,
    tags: Mapping[str, Any] | None = None,
    note: str | None = None,
    owner: str | None = None,
    params: Mapping[str, Any] | None = None,
    **named: Any,
) -> Run:
    """Start a run with its name and parameters.

    For example `start("lenet", lr=0.1, momentum=0.9)`.

    If the service is away, the run starts nevertheless, and its records are sent later.

    Args:
        name: 1 to 128 of A-Z a-z 0-9 _ . -, beginning with a letter or digit. By default the name
            of the script and the time.
        project: group of the run, by default Default.
        task: classification task, by default the one of the project.
        url: address of the service, by default MLOPS_URL or http://localhost:9090.
        api_key: key of the service, by default MLOPS_API_KEY.
        tags: texts by name.
        note: note in Markdown.
        owner: by default the name of the user.
        params: parameters by name, for names that are no identifiers.
        **named: parameters by name.

    Raises:
        ValueError: the name cannot be the name of an experiment.

    """
    name = _default_name() if name is None else name
    if not NAME_PATTERN.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be the name of a run. Use 1 to 128 of A-Z a-z 0-9 _ . - and begin "
            "with a letter or digit."
        )
    key, directory = settings.api_key(api_key), settings.spool_directory()
    new_run = {
        "run_id": uuid.uuid4().hex,
        "name": name,
        "project": project,
        "task": task,
        "owner": settings.user_name() if owner is None else owner,
        "started_at": now(),
    }
    header = Header(
        settings.service_url(url),
        {field: value for field, value in new_run.items() if value is not None},
    )
    leftovers.send_in_background(directory, key, header.url)
    sender = Sender(header, key, directory)
    run = Run(sender, str(new_run["run_id"]), {**(params or {}), **named})
    if tags:
        run.tag(tags)
    if note:
        run.note(note)
    sender.start()
    sender.wait_for_first_attempt(START_SECONDS)
    return run


def _default_name() -> str:
    script = Path(sys.argv[0] if sys.argv else "").stem
    is_usable = NAME_PATTERN.fullmatch(script) and not is_interactive()
    time_of_start = datetime.now().astimezone().strftime("%Y%m%d_%H%M%S")
    return f"{script[:100] if is_usable else 'run'}_{time_of_start}"
