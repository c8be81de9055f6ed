"""Which CSV files are imported: data.csv, then those of the directory data.d by name."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CsvFile:
    """A file, and the name under which the tables know it: `data.csv` or `data.d/more.csv`."""

    path: Path
    name: str


@dataclass(frozen=True)
class CsvFiles:
    """The files of one import in their order.

    `error` says why the directory could not be read; without one, it holds no more.
    """

    main: CsvFile
    further: tuple[CsvFile, ...] = ()
    directory_name: str = "data.d"
    error: str | None = None

    def __iter__(self) -> Iterator[CsvFile]:
        """Yield every file in its order."""
        yield self.main
        yield from self.further

    def in_directory(self, name: str) -> bool:
        """Tell whether a file of this name belongs to the directory."""
        return name.startswith(f"{self.directory_name}/")


def find(data_csv: Path, data_dir: Path) -> CsvFiles:
    """Return data.csv, there or not, and every *.csv of the directory.

    A directory that is missing holds none.
    """
    main = CsvFile(data_csv, _storable(data_csv.name))
    directory_name = _storable(data_dir.resolve().name)
    try:
        names = sorted(path.name for path in data_dir.iterdir())
    except FileNotFoundError:
        names = []
    except OSError as error:
        return CsvFiles(
            main, (), directory_name, f"{directory_name} cannot be read: {error.strerror}."
        )
    # as a shell's *.csv: what editors and file managers hide is none of them
    paths = [
        data_dir / name for name in names if name.endswith(".csv") and not name.startswith(".")
    ]
    further = [
        CsvFile(path, f"{directory_name}/{_storable(path.name)}")
        for path in paths
        if path.resolve() != data_csv.resolve()
    ]
    return CsvFiles(main, tuple(further), directory_name)


def _storable(name: str) -> str:
    """Return a file's name as text: one that is no UTF-8 has its bytes written out."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
