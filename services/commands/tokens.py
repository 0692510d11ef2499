"""`python app.py token`: creates, lists and revokes API tokens."""

import argparse
from collections.abc import Sequence
from datetime import datetime

from services.market.errors import TrackerError
from services.market.ports import TokenBook
from services.market.tokens import SCOPES, Token


class NoSuchToken(TrackerError):
    """No token that is still valid has this number."""


class BadName(TrackerError):
    """Not a valid name of a token."""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments. Exits with a usage message if they are invalid."""
    parser = argparse.ArgumentParser(prog="app.py token", description="API tokens, for programs that use this server.")
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add", help="create a token; it is shown only now")
    add.add_argument("name", help="what it is for")
    add.add_argument("--scope", choices=SCOPES, default="read", help="read (default), or write: change things too")
    commands.add_parser("list", help="all tokens, newest first")
    revoke = commands.add_parser("revoke", help="revoke a token")
    revoke.add_argument("number", type=int, help="its number in the list")
    return parser.parse_args(arguments)


def run(given: argparse.Namespace, tokens: TokenBook, now: datetime) -> int:
    """Run the command, and print its result. Returns the exit status. Raises TrackerError."""
    match given.command:
        case "add":
            print(_add(tokens, given, now))
        case "list":
            print("\n".join(map(_line, tokens.all())) or "There are no tokens.")
        case _:
            if not tokens.revoke(given.number, now):
                raise NoSuchToken(f"no token {given.number} that is still valid")
            print(f"Token {given.number} is revoked.")
    return 0


def _add(tokens: TokenBook, given: argparse.Namespace, now: datetime) -> str:
    try:
        secret, _ = tokens.issue(given.name, given.scope, now)
    except ValueError as error:
        raise BadName(str(error)) from None
    return secret


def _line(token: Token) -> str:
    used = "never used" if token.last_used_at is None else f"last used {_day(token.last_used_at)}"
    ended = "" if token.revoked_at is None else f", revoked {_day(token.revoked_at)}"
    made = f"made {_day(token.created_at)}"
    return f"{token.id}  {token.beginning}...  {token.scope}  {token.name}  ({made}, {used}{ended})"


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
