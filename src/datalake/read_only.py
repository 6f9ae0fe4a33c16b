"""Which statements only read. The lock on the door is what the workgroup's role may do; this one says why."""

from __future__ import annotations

from typing import ClassVar

from sqlglot import exp, parse
from sqlglot.dialects import Trino
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import TokenType

from datalake.errors import NotReadOnlyError

_WHAT = "Only one statement that reads may be asked: SELECT, WITH, VALUES, SHOW, DESCRIBE or EXPLAIN of a query"
_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Command, exp.Into)


class _Words(Trino):
    """Trino's words; none of them makes one text of all that follow."""

    class Tokenizer(Trino.Tokenizer):
        COMMANDS: ClassVar[set[TokenType]] = set()


def require_read_only(sql: str) -> None:
    """Pass a single statement of Athena that reads; refuse every other text.

    Args:
        sql: the statement; a semicolon may end it.

    Raises:
        NotReadOnlyError: it writes, is more than one statement, or can't be read.
    """
    try:
        tokens = _Words().tokenize(sql)
        if any("/*" in comment for token in tokens for comment in token.comments):
            raise NotReadOnlyError("A comment holds another; engines disagree on where it ends.")
        words = [token.text.upper() for token in tokens]
        match words[:1]:
            case ["SHOW" | "DESCRIBE" | "DESC"]:
                if ";" in words[:-1]:
                    raise NotReadOnlyError(f"{_WHAT}; this is more than one.")
                return
            case ["EXPLAIN"]:
                sql = sql[tokens[_end_of_explain(words) - 1].end + 1 :]
        statements = parse(sql, read="trino")
    except RecursionError as error:
        raise NotReadOnlyError("The statement can't be read: it is nested too deep.") from error
    except SqlglotError as error:
        reason = str(error).splitlines()[0]
        raise NotReadOnlyError(f"The statement can't be read: {reason}") from error
    if len(statements) != 1 or statements[0] is None:
        raise NotReadOnlyError(f"{_WHAT}; this is {len(statements) if any(statements) else 'none'}.")
    (statement,) = statements
    if not isinstance(statement, exp.Query | exp.Values) or statement.find(*_WRITES):
        raise NotReadOnlyError(f"{_WHAT}; this is another.")


def _end_of_explain(words: list[str]) -> int:
    """Return how many words stand before the statement that is explained."""
    at = 1
    while words[at : at + 1] in (["ANALYZE"], ["VERBOSE"]):
        at += 1
    if words[at : at + 1] == ["("] and words[at + 1 : at + 2] in (["FORMAT"], ["TYPE"]):
        at = words.index(")", at) + 1 if ")" in words else at
    return at
