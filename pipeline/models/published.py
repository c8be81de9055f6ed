"""Published versions: cards in the model directory, or in the model registry if there is one.

With a registry, the model directory is a mirror, which may be seconds behind.
"""

from collections.abc import Iterator

from inference.model_format import layout
from inference.model_format.card import CARD_FILE, Card, InvalidCardError
from inference.registry import publication
from inference.registry.bucket import Bucket
from pipeline.settings import Settings


def open_registry(settings: Settings) -> Bucket | None:
    """Return the registry of MODELS_URL, None without one. Raises ValueError for an invalid URL."""
    return Bucket(settings.models_url) if settings.models_url else None


def published_cards(settings: Settings, name: str) -> Iterator[tuple[int, Card]]:
    """Yield the versions of a model that have a valid card, in ascending order.

    Raises RegistryError.
    """
    registry = open_registry(settings)
    if registry is not None:
        yield from publication.published_cards(registry, name)
    elif settings.models_dir.is_dir():
        for version, files in sorted(layout.find_versions(settings.models_dir, name)[0].items()):
            try:
                card = None if files.is_loose else Card.read(files.path / CARD_FILE)
            except (InvalidCardError, OSError):
                continue
            if card is not None:
                yield version, card
