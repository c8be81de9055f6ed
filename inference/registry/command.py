"""Mirror command: copies the registry of MODELS_URL to MODELS_DIR once, for an image or a job."""

import argparse
import sys
from collections.abc import Sequence

from inference.registry.mirror import Mirror
from inference.settings import from_environment


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code: 1 unless every version was copied."""
    parser = argparse.ArgumentParser(prog="python -m inference mirror", description=__doc__)
    parser.parse_args(arguments)
    settings = from_environment()
    if not settings.models_url:
        print("MODELS_URL is not set. Set it like s3://bucket/models.", file=sys.stderr)
        return 1
    try:
        mirror = Mirror(settings.models_url, settings.models_dir, settings.models_poll_seconds)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    mirror.poll()
    mirror.close()
    status = mirror.status
    if status.failure is not None:
        print(status.failure, file=sys.stderr)
        return 1
    for version, reason in status.refused.items():
        print(f"Refused {version}: {reason}", file=sys.stderr)
    print(f"{len(status.versions)} versions of {status.url} are in {settings.models_dir}.")
    return int(bool(status.refused))
