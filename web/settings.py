"""The environment of the dashboard, read once into a frozen Settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from servicekit.settings import host_names, secret

MAX_PORT = 65535


@dataclass(frozen=True)
class Settings:
    """Where the dashboard finds Postgres and the inference API.

    The defaults suit a machine of one's own. Variables: API_URL, PUBLIC_API_URL (where people reach
    the API, for what they copy from the pages; API_URL when unset), API_KEY (for an API that has
    keys), MNIST_PATH (an .npz with x_test and y_test to evaluate with; none when unset),
    ALLOWED_HOSTS (further names by which people open it), and libpq's PGHOST, PGPORT, PGDATABASE,
    PGUSER and PGPASSWORD. PGPASSWORD_FILE and API_KEY_FILE name files that hold these two instead.
    """

    api_url: str = "http://localhost:9090/api/v1.0"
    public_api_url: str = "http://localhost:9090/api/v1.0"
    database_host: str = "localhost"
    database_port: int = 5432
    database_name: str = "mlopsdb"
    database_user: str = "mlops_read"
    database_password: str = field(default="pass123", repr=False)
    mnist_path: Path | None = None
    api_key: str = field(default="", repr=False)
    allowed_hosts: frozenset[str] = frozenset()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the variables; one that is unset or empty keeps its default.

        Raises:
            ValueError: PGPORT is not a port number, or a file cannot be read. The message names the
            variable.

        """

        def read(name: str, default: str) -> str:
            return environment.get(name) or default

        port = read("PGPORT", str(cls.database_port))
        if not (port.isascii() and port.isdecimal() and 0 < int(port) <= MAX_PORT):
            raise ValueError(f"PGPORT must be a port number from 1 to {MAX_PORT}, not {port!r}")
        api_url = read("API_URL", cls.api_url).rstrip("/")
        return cls(
            api_url=api_url,
            public_api_url=read("PUBLIC_API_URL", api_url).rstrip("/"),
            database_host=read("PGHOST", cls.database_host),
            database_port=int(port),
            database_name=read("PGDATABASE", cls.database_name),
            database_user=read("PGUSER", cls.database_user),
            database_password=secret(environment, "PGPASSWORD") or "pass123",
            mnist_path=Path(environment["MNIST_PATH"]) if environment.get("MNIST_PATH") else None,
            api_key=secret(environment, "API_KEY") or "",
            allowed_hosts=host_names(environment),
        )

    @property
    def database_address(self) -> str:
        """The address as a message names it: host:port."""
        return f"{self.database_host}:{self.database_port}"
