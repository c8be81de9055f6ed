"""Origin of a model: the pipeline run that trained it and its version of the data, for the card."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """A run and the digest of its dataset. Both are empty for `make train`."""

    dataset_digest: str | None = None
    run_id: int | None = None

    def data(self) -> dict[str, str]:
        """Return the card's entries about the data."""
        return {"dataset_digest": self.dataset_digest} if self.dataset_digest else {}

    def run(self, seed: int) -> dict[str, int]:
        """Return the card's entries about the run."""
        return {} if self.run_id is None else {"id": self.run_id, "seed": seed}


NO_ORIGIN = Origin()
