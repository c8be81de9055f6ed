import pytest

from data_export.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["out", "--since", "yesterday"], "'yesterday' is not a day. Write it as 2026-11-01."),
        (["out", "--since", "2026-11-02", "--until", "2026-11-01"], "--since is after --until"),
    ],
)
def test_export_with_wrong_days_explains_them(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err
