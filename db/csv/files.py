"""CSV files of an import: data.csv first, then *.csv of the directory data.d by name."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CsvFile:
    """A file, and its name in the database: `data.csv` or `data.d/more.csv`."""

    path: Path
    name: str


@dataclass(frozen=True)
class CsvFiles:
    """The files of one import in order.

    `error` is set when the directory cannot be read: it may then have more files.
    """

    main: CsvFile
    additional: tuple[CsvFile, ...] = ()
    directory_name: str = "data.d"
    error: str | None = None

    def __iter__(self) -> Iterator[CsvFile]:
        """Yield every file in order."""
        yield self.main
        yield from self.additional

    def is_in_directory(self, name: str) -> bool:
        """Tell whether a file of this name belongs to the directory."""
        return name.startswith(f"{self.directory_name}/")


def find(data_csv: Path, data_dir: Path) -> CsvFiles:
    """Return data.csv, whether it exists or not, and every *.csv of the directory.

    The directory may be missing.
    """
    main = CsvFile(data_csv, _escape_bytes(data_csv.name))
    directory_name = _escape_bytes(data_dir.resolve().name)
    try:
        names = sorted(path.name for path in data_dir.iterdir())
    except FileNotFoundError:
        names = []
    except OSError as error:
        reason = f"{directory_name} cannot be read: {error.strerror}. Check its permissions."
        return CsvFiles(main, (), directory_name, reason)
    # like *.csv in a shell: without hidden files
    paths = [
        data_dir / name for name in names if name.endswith(".csv") and not name.startswith(".")
    ]
    additional = [
        CsvFile(path, f"{directory_name}/{_escape_bytes(path.name)}")
        for path in paths
        if path.resolve() != data_csv.resolve()
    ]
    return CsvFiles(main, tuple(additional), directory_name)


def _escape_bytes(name: str) -> str:
    """Return a file's name as text that Postgres can store: invalid UTF-8 is escaped."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
