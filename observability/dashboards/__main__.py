"""`make dashboards`: writes the dashboards that Grafana loads."""

from collections.abc import Iterator
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from observability.dashboards import learning, models, service

DIRECTORY = Path(__file__).parents[1] / "grafana" / "dashboards"


def build_all() -> Iterator[tuple[str, str]]:
    """Yield the name and the content of each file."""
    for name, module in (("service", service), ("models", models), ("learning", learning)):
        document = module.build().build()
        for number, panel in enumerate(document.panels or [], 1):
            panel.id_val = number
        yield f"{name}.json", JSONEncoder(sort_keys=True, indent=2).encode(document) + "\n"


def main() -> None:
    """Write all files."""
    for name, content in build_all():
        (DIRECTORY / name).write_text(content)


if __name__ == "__main__":
    main()
