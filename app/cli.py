"""The command line: `kerb serve | worker | keys | demo | openapi`. Never imports Keras itself."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app import __version__
from app.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: those of the process by default.

    Returns:
        The exit code.
    """
    asked = vars(_build_parser().parse_args(arguments))
    command = asked.pop("command")
    # Each command imports what it needs: `kerb --help` is quick.
    if command == "demo":
        from app.demo import main as demo

        return demo()
    if command == "openapi":
        from app.openapi import write_or_check

        return write_or_check(asked["check"])
    if command == "keys":
        return _keys(asked)
    from app.serving import serve, work

    settings = _read_settings(asked)
    if command == "serve":
        serve(settings)
    else:
        work(settings)
    return 0


def _keys(asked: dict[str, Any]) -> int:
    from app.keys import commands

    settings = _read_settings({"data_dir": asked["data_dir"]})
    match asked["action"]:
        case "create":
            return commands.create(settings, asked["name"], asked["project"], asked["scope"])
        case "list":
            return commands.show(settings)
        case _:
            return commands.revoke(settings, asked["id"])


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kerb",
        description="Trains and scores Keras models whose outputs stay within declared limits.",
    )
    parser.add_argument("--version", action="version", version=f"kerb {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serving = commands.add_parser("serve", help="start the API and workers on this machine")
    serving.add_argument("--host", help="address to listen on; otherwise KERB_HOST, or 127.0.0.1")
    serving.add_argument("--port", type=int, help="port to listen on; otherwise KERB_PORT, or 8000")
    working = commands.add_parser("worker", help="start a worker alone")
    actions = commands.add_parser("keys", help="API keys: create, list, revoke").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    creating = actions.add_parser("create", help="make a key and print it, this once")
    creating.add_argument("name", help="what it's for")
    creating.add_argument("--project", default="default", help="whose runs, models and datasets it reaches")
    creating.add_argument(
        "--scope",
        action="append",
        choices=("read", "predict", "train", "admin"),
        help="what it may do; repeatable; otherwise read, predict and train",
    )
    listing = actions.add_parser("list", help="all keys, without their texts")
    revoking = actions.add_parser("revoke", help="refuse a key from now on")
    revoking.add_argument("id", help="as the list has it")
    for command in (serving, working, creating, listing, revoking):
        command.add_argument(
            "--data-dir", type=Path, help="folder of all data; otherwise KERB_DATA_DIR, or ./data"
        )
    commands.add_parser("demo", help="train the circles study in a service of its own")
    openapi = commands.add_parser("openapi", help="write openapi/openapi.json")
    openapi.add_argument("--check", action="store_true", help="only say whether the file is current")
    return parser


def _read_settings(given: dict[str, Any]) -> Settings:
    """The settings of the environment; those given on the command line, not None, in their place."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"])
            print(f"kerb: setting {name}: {problem['msg']}; received {problem['input']!r}.", file=sys.stderr)
        raise SystemExit(2) from error


if __name__ == "__main__":
    sys.exit(main())
