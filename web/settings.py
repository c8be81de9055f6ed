"""Settings: environment variables of the dashboard, read once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from servicekit.settings import host_names, secret

MAX_PORT = 65535


@dataclass(frozen=True)
class Settings:
    """Settings of the dashboard. The defaults suit a local installation.

    Attributes:
        api_url: API_URL, base URL of the inference API.
        public_api_url: PUBLIC_API_URL, the same for code that users copy. Defaults to API_URL.
        database_host, database_port, database_name, database_user, database_password: PGHOST,
            PGPORT, PGDATABASE, PGUSER, and PGPASSWORD or the file named by PGPASSWORD_FILE.
        mnist_path: MNIST_PATH, an .npz file with x_test and y_test to evaluate with.
        api_key: API_KEY or the file named by API_KEY_FILE, for an API that requires keys.
        allowed_hosts: ALLOWED_HOSTS, additional host names of the dashboard.

    """

    api_url: str = "http://localhost:9090/api/v1.0"
    public_api_url: str = "http://localhost:9090/api/v1.0"
    database_host: str = "localhost"
    database_port: int = 5432
    database_name: str = "mlopsdb"
    database_user: str = "mlops_web"
    database_password: str = field(default="pass123", repr=False)
    mnist_path: Path | None = None
    api_key: str = field(default="", repr=False)
    allowed_hosts: frozenset[str] = frozenset()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the variables. An unset or empty variable keeps its default.

        Raises:
            ValueError: PGPORT is not a port number, or a secret file cannot be read. The message
                names the variable.

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
        """Address for messages: host:port."""
        return f"{self.database_host}:{self.database_port}"
