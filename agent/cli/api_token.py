"""``chargepoint-agent token``: who may use the control API. Works with and without a running agent.

Only hashes are kept; the token itself is shown once.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from typing import Any

from agent.cli import paths
from agent.cli.console import Console, add_actions

SECRET_BYTES = 32


def add_token_command(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add ``token`` with what it can do."""
    words = "make, list and revoke tokens of the control API"
    add = add_actions(commands, common, "token", words, run_token_command)
    new = add("new", "make a token; it is shown once")
    new.add_argument("name", metavar="NAME", help="whose it is; stands in the log")
    new.add_argument(
        "--scopes",
        required=True,
        metavar="SCOPES",
        help="what it allows, separated by commas: read, operate, configure, simulate",
    )
    add("list", "show names and scopes")
    revoke = add("revoke", "forget a token, at once")
    revoke.add_argument("name", metavar="NAME", help="as token list tells it")


def run_token_command(options: argparse.Namespace) -> int:
    """Run one of the actions; raises AgentError with a sentence when it cannot be done."""
    # Imported here: other commands do not need it.
    from agent.api.tokens import TokenFile

    file = TokenFile(paths.find_storage(options.config).parent)  # beside the database
    match options.what:
        case "new":
            _new(file, options)
        case "list":
            _list(file, options)
        case _:
            file.revoke(options.name)
            _tell(options, {"revoked": options.name}, f"{options.name} is revoked")
    return 0


def _new(file: Any, options: argparse.Namespace) -> None:
    from agent.runtime.clock import SystemClock

    scopes = [scope.strip() for scope in options.scopes.split(",") if scope.strip()]
    secret = secrets.token_urlsafe(SECRET_BYTES)
    made_at = SystemClock().now().utc.isoformat(timespec="seconds")
    token = file.add(options.name, scopes, secret, made_at)
    data = {"name": token.name, "scopes": sorted(token.scopes), "token": secret}
    _tell(options, data, f"{secret}\n\nThis is shown once. It allows: {', '.join(data['scopes'])}.")


def _list(file: Any, options: argparse.Namespace) -> None:
    tokens = file.read()
    data = [
        {"name": token.name, "scopes": sorted(token.scopes), "created_at": token.created_at}
        for token in tokens
    ]
    lines = [f"{one['name']:20}  {one['created_at']}  {', '.join(one['scopes'])}" for one in data]
    _tell(options, data, "\n".join(lines) or "there is no token yet")


def _tell(options: argparse.Namespace, data: Any, words: str) -> None:
    if options.json:
        print(json.dumps(data, indent=2))
    else:
        Console(sys.stdout).tell(words.splitlines())
