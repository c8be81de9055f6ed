"""Cloud storage providers: their environment variables, and reasons for their errors.

obstore's exceptions hold details only in their text, which may hold a password. A reason never
repeats it.
"""

import enum
import re

# Error bodies of all providers have a `Code`.
CODES = [
    re.compile(pattern)
    for pattern in (r"<Code>(\w+)</Code>", r"\(code: (\w+)\)", r"status code: (\d{3})")
]
# Without credentials in the environment, obstore asks the metadata service of AWS, Google or Azure.
CREDENTIALS_MISSING = re.compile(
    r"Missing(AccessKeyId|SecretAccessKey|Account)|/latest/api/token|/computeMetadata/"
    r"|/metadata/identity/|token request|OpenCredentials|DecodeCredentials"
)
FAILED_OBJECT = "request failed for key"  # in a bulk deletion that S3 accepted
BARE_REDIRECT = "redirect without LOCATION"  # S3's response for a bucket in another region
EMPTY_PART = "contained empty path segment"  # such a name ends a listing
BUCKET_MISSING_CODES = {"NoSuchBucket", "ContainerNotFound"}
WRONG_KEY_CODES = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidToken",
    "ExpiredToken",
    "AuthenticationFailed",
    "401",
}


class Provider(enum.Enum):
    """Cloud storage providers: name, variables of the credentials, of the endpoint and of both.

    `secrets` are the variables that may come from a file, under the name with the suffix _FILE.
    """

    S3 = (
        "S3",
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        "AWS_ENDPOINT_URL",
        "AWS_",
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    )
    GS = (
        "Google Cloud Storage",
        "GOOGLE_SERVICE_ACCOUNT_KEY",
        "GOOGLE_BASE_URL",
        "GOOGLE_",
        ("GOOGLE_SERVICE_ACCOUNT_KEY",),
    )
    AZ = (
        "Azure",
        "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_ENDPOINT",
        "AZURE_",
        ("AZURE_STORAGE_ACCOUNT_KEY",),
    )

    def __init__(
        self, title: str, keys: str, endpoint: str, prefix: str, secrets: tuple[str, ...]
    ) -> None:
        self.title, self.keys, self.endpoint, self.prefix = title, keys, endpoint, prefix
        self.secrets = secrets


def reason(  # noqa: PLR0911  # one per fault
    provider: Provider, error: BaseException, setting: str = "IMAGES_URL"
) -> str:
    """Return what is wrong with the storage, then what to do. `setting` names the bucket."""
    title, keys, code = provider.title, provider.keys, error_code(error)
    if BARE_REDIRECT in str(error):
        return f"The bucket is in another region. Set {provider.prefix}DEFAULT_REGION."
    if CREDENTIALS_MISSING.search(str(error)):
        return f"{title} needs credentials. Set {keys}."
    if EMPTY_PART in str(error):
        return "The name of an object has an empty part (//). Rename it."
    if not code:
        return (
            f"{title} does not answer."
            f" Check that the server runs and that {provider.endpoint} is its address."
        )
    if code in BUCKET_MISSING_CODES:
        return f"The bucket does not exist ({code}). Create it or correct {setting}."
    if code in WRONG_KEY_CODES:
        return f"{title} rejects the credentials ({code}). Correct {keys}."
    return (
        f"{title} responds {code}."
        f" Check that {keys} may list, read, write and delete in the bucket."
    )


def is_bucket_missing(error: FileNotFoundError) -> bool:
    """Return whether the bucket, and not only the object, does not exist."""
    return error_code(error) in BUCKET_MISSING_CODES


def error_code(error: BaseException) -> str:
    """Return the provider's error code, else the HTTP status, empty if there was no response."""
    for pattern in CODES:
        if match := pattern.search(str(error)):
            return match[1]
    return ""
