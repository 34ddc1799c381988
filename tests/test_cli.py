import re
import subprocess
import sys
from pathlib import Path

import orjson

from app import __version__, openapi
from app.main import create_app


def kerb(*arguments: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "app.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def test_version() -> None:
    assert kerb("--version").stdout == f"kerb {__version__}\n"


def test_a_command_that_is_not_there() -> None:
    done = kerb("train")

    assert done.returncode == 2
    assert "serve" in done.stderr


def test_a_data_folder_that_cannot_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    done = kerb("serve", "--port", "0", "--data-dir", str(tmp_path / "file" / "data"))

    assert done.returncode == 1
    assert "Can't make the data folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_keys_from_making_to_revoking(tmp_path: Path) -> None:
    folder = ("--data-dir", str(tmp_path))
    exposed = kerb("serve", "--host", "0.0.0.0", "--port", "0", *folder)
    assert exposed.returncode == 1
    assert "Make one with `kerb keys create NAME`" in exposed.stderr

    made = kerb("keys", "create", "for the lab", "--project", "lab", "--scope", "read", *folder).stdout
    text, _, told = made.partition("\n")
    assert re.fullmatch(r"kerb_[0-9a-f]{26}_[\w-]{43}", text)
    listed = kerb("keys", "list", *folder).stdout
    assert re.search(r"^key_[0-9a-f]{26}  lab +read +\S+Z +for the lab$", listed, re.MULTILINE)
    key_id = re.findall(r"key_\w+", told)[0]
    assert text not in listed

    assert kerb("keys", "revoke", key_id, *folder).returncode == 0
    again = kerb("keys", "revoke", key_id, *folder)
    assert (again.returncode, "was revoked at" in again.stderr) == (1, True)
    assert kerb("keys", "create", "x", "--project", "../a", *folder).returncode == 1
    assert kerb("serve", "--host", "0.0.0.0", "--port", "0", *folder).returncode == 1


def test_the_openapi_document_in_the_repository_is_current() -> None:
    assert openapi.FILE.read_bytes() == openapi.as_text(create_app().openapi())


def test_each_route_describes_what_it_reads_and_answers() -> None:
    document = create_app().openapi()

    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method == "post" and not path.endswith(("/cancel", "/repository/index")):
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                if schema.get("format") != "binary":  # a file
                    name = schema["$ref"].rpartition("/")[2]
                    assert document["components"]["schemas"][name]["properties"], path
            assert operation["operationId"], path
            assert operation["description"], path
            for status, answer in operation["responses"].items():
                if status >= "400":
                    assert list(answer["content"]) == ["application/problem+json"], (path, status)


def test_every_reference_in_the_openapi_document_leads_somewhere() -> None:
    text = openapi.as_text(create_app().openapi()).decode()
    schemas = orjson.loads(text)["components"]["schemas"]

    named = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert named <= schemas.keys()
