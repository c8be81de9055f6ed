"""Providers explain errors by the codes in obstore's texts, without repeating the texts."""

import pytest

from inference.object_storage.provider import Provider, error_code, is_bucket_missing, reason

MISSING = FileNotFoundError("<Error><Code>NoSuchBucket</Code></Error> key=secret")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("<Error><Code>AccessDenied</Code></Error> status code: 403", "AccessDenied"),
        ("OperationError (code: ContainerNotFound)", "ContainerNotFound"),
        ("Server returned status code: 503 Slow Down", "503"),
        ("connection refused", ""),
    ],
)
def test_error_code_prefers_the_name_to_the_status(text: str, code: str) -> None:
    assert error_code(OSError(text)) == code


def test_is_bucket_missing_differs_from_a_missing_object() -> None:
    assert is_bucket_missing(MISSING)
    assert not is_bucket_missing(FileNotFoundError("<Code>NoSuchKey</Code>"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("received redirect without LOCATION", "another region. Set AWS_DEFAULT_REGION"),
        ("MissingAccessKeyId", "needs credentials"),
        ('Path "a//b" contained empty path segment', "Rename it"),
        ("connection refused", "does not answer"),
        (str(MISSING), "does not exist (NoSuchBucket)"),
        ("<Code>InvalidAccessKeyId</Code>", "rejects the credentials"),
        ("<Code>AccessDenied</Code>", "responds AccessDenied"),
    ],
)
def test_reason_says_the_fault_without_the_text(text: str, expected: str) -> None:
    explained = reason(Provider.S3, OSError(f"{text} key=secret"))
    assert expected in explained
    assert "secret" not in explained
