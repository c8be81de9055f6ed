"""Code snippets to copy."""

import subprocess

from web.components.code_snippets import curl, curl_many, python


def test_hostile_model_name_is_quoted() -> None:
    hostile = "a'; touch hacked; '"
    arguments = subprocess.run(
        ["/bin/bash", "-c", curl("http://x", hostile).replace("curl", "printf '%s\\n'", 1)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert arguments == [
        "-F",
        "image_blob=@digit.png",
        f"http://x/inference?experiment_name={hostile}",
    ]
    compile(python("http://x", hostile), "copied", "exec")


def test_any_file_name_reaches_curl_unchanged() -> None:
    command = curl_many("http://x", ["a b", "c"], ['we"ird; n\\ame.png', "plain.png"])
    arguments = subprocess.run(
        ["/bin/bash", "-c", command.replace("curl", "printf '%s\\n'", 1)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert arguments == [
        "-F",
        'images=@"we\\"ird; n\\\\ame.png"',
        "-F",
        "images=@plain.png",
        "http://x/predictions?experiments=a+b&experiments=c",
    ]
