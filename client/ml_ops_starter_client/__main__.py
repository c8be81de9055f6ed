"""`python -m ml_ops_starter_client send`: sends the records that earlier runs could not send."""

import argparse
import sys
from collections.abc import Sequence

from ml_ops_starter_client import settings
from ml_ops_starter_client.leftovers import send_files


def main(arguments: Sequence[str]) -> int:
    """Run the command. Return 0 if everything was sent, else 1."""
    parser = argparse.ArgumentParser(prog="python -m ml_ops_starter_client")
    commands = parser.add_subparsers(required=True)
    send = commands.add_parser(
        "send",
        help="send kept records",
        description="Send the records that earlier runs kept in MLOPS_SPOOL_DIR. "
        "MLOPS_API_KEY is the key.",
    )
    send.add_argument("--url", help="only those of the service with this address")
    options = parser.parse_args(arguments)
    url = settings.service_url(options.url) if options.url else None
    directory = settings.spool_directory()
    is_complete, is_empty = True, True
    for outcome in send_files(directory, settings.api_key(), url):
        is_empty = False
        if outcome.problem is None:
            print(f"{outcome.name}: {outcome.records} records sent")
        else:
            is_complete = False
            print(f"{outcome.name}: not sent ({outcome.path}). {outcome.problem}", file=sys.stderr)
    if is_empty:
        print(f"Nothing to send in {directory}")
    return 0 if is_complete else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
