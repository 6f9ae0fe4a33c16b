"""What kind of statement a text is, and a reader of its tokens.

Athena has two grammars: Hive's for DDL, with backticks and backslashes, and Trino's for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects import Hive, Trino
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from athena_bench.errors import RefusedError


class _HiveWords(Hive):
    """Hive's tokens, each word one token."""

    class Tokenizer(Hive.Tokenizer):
        COMMANDS: ClassVar[set[TokenType]] = set()
        KEYWORDS: ClassVar[dict[str, TokenType]] = {}
        HEX_STRINGS: ClassVar[list[Any]] = []
        BIT_STRINGS: ClassVar[list[Any]] = []
        BYTE_STRINGS: ClassVar[list[Any]] = []
        STRING_ESCAPES: ClassVar[list[str]] = ["\\", "'"]


class _TrinoWords(Trino):
    """Trino's tokens, each word one token; backticks quote a name in the head of a statement."""

    class Tokenizer(Trino.Tokenizer):
        COMMANDS: ClassVar[set[TokenType]] = set()
        KEYWORDS: ClassVar[dict[str, TokenType]] = {}
        HEX_STRINGS: ClassVar[list[Any]] = []
        IDENTIFIERS: ClassVar[list[Any]] = ['"', "`"]


class Kind(StrEnum):
    """The kinds of statements that Athena knows, by their names in `SubstatementType`."""

    SELECT = "SELECT"
    EXPLAIN = "EXPLAIN"
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    MERGE = "MERGE"
    CREATE_TABLE_AS = "CREATE_TABLE_AS_SELECT"
    UNLOAD = "UNLOAD"
    CREATE_TABLE = "CREATE_TABLE"
    CREATE_VIEW = "CREATE_VIEW"
    DROP_VIEW = "DROP_VIEW"
    CREATE_DATABASE = "CREATE_DATABASE"
    ALTER_DATABASE = "ALTER_DATABASE"
    DROP_DATABASE = "DROP_DATABASE"
    DROP_TABLE = "DROP_TABLE"
    ALTER_TABLE = "ALTER_TABLE"
    REPAIR_TABLE = "MSCK_REPAIR_TABLE"
    SHOW = "SHOW"
    DESCRIBE = "DESCRIBE_TABLE"
    OPTIMIZE = "OPTIMIZE"
    VACUUM = "VACUUM_TABLE"
    PREPARE = "PREPARE"
    EXECUTE = "EXECUTE"
    DEALLOCATE = "DEALLOCATE"


_HEADS = {
    ("SELECT",): Kind.SELECT,
    ("WITH",): Kind.SELECT,
    ("VALUES",): Kind.SELECT,
    ("TABLE",): Kind.SELECT,
    ("EXPLAIN",): Kind.EXPLAIN,
    ("INSERT", "INTO"): Kind.INSERT,
    ("UPDATE",): Kind.UPDATE,
    ("DELETE", "FROM"): Kind.DELETE,
    ("MERGE", "INTO"): Kind.MERGE,
    ("UNLOAD",): Kind.UNLOAD,
    ("CREATE", "EXTERNAL", "TABLE"): Kind.CREATE_TABLE,
    ("CREATE", "TABLE"): Kind.CREATE_TABLE,  # or CREATE_TABLE_AS, which the words after the name tell
    ("CREATE", "OR", "REPLACE", "VIEW"): Kind.CREATE_VIEW,
    ("CREATE", "VIEW"): Kind.CREATE_VIEW,
    ("DROP", "VIEW"): Kind.DROP_VIEW,
    ("CREATE", "DATABASE"): Kind.CREATE_DATABASE,
    ("CREATE", "SCHEMA"): Kind.CREATE_DATABASE,
    ("ALTER", "DATABASE"): Kind.ALTER_DATABASE,
    ("ALTER", "SCHEMA"): Kind.ALTER_DATABASE,
    ("DROP", "DATABASE"): Kind.DROP_DATABASE,
    ("DROP", "SCHEMA"): Kind.DROP_DATABASE,
    ("DROP", "TABLE"): Kind.DROP_TABLE,
    ("ALTER", "TABLE"): Kind.ALTER_TABLE,
    ("MSCK", "REPAIR", "TABLE"): Kind.REPAIR_TABLE,
    ("SHOW",): Kind.SHOW,
    ("DESCRIBE",): Kind.DESCRIBE,
    ("DESC",): Kind.DESCRIBE,
    ("OPTIMIZE",): Kind.OPTIMIZE,
    ("VACUUM",): Kind.VACUUM,
    ("PREPARE",): Kind.PREPARE,
    ("EXECUTE",): Kind.EXECUTE,
    ("DEALLOCATE", "PREPARE"): Kind.DEALLOCATE,
}
_DML = frozenset(
    {
        Kind.SELECT,
        Kind.INSERT,
        Kind.UPDATE,
        Kind.DELETE,
        Kind.MERGE,
        Kind.UNLOAD,
        Kind.EXPLAIN,
        Kind.OPTIMIZE,
        Kind.VACUUM,
        Kind.EXECUTE,
    }
)
_UTILITY = frozenset({Kind.SHOW, Kind.DESCRIBE})
_HIVE = frozenset(
    {
        Kind.CREATE_TABLE,
        Kind.CREATE_DATABASE,
        Kind.ALTER_DATABASE,
        Kind.DROP_DATABASE,
        Kind.DROP_TABLE,
        Kind.ALTER_TABLE,
        Kind.REPAIR_TABLE,
        Kind.SHOW,
        Kind.DESCRIBE,
    }
)


_OWNERS = frozenset({TokenType.VAR, TokenType.IDENTIFIER, TokenType.R_PAREN, TokenType.R_BRACKET})
"""What a field's name may follow, with a dot between."""

_DIGITS = 18
"""Of whole numbers that all fit 64 bits."""


@dataclass(frozen=True)
class Statement:
    """One statement.

    Attributes:
        kind: what it is.
        text: it, without a semicolon at its end.
    """

    kind: Kind
    text: str

    @property
    def type(self) -> str:
        """Its class as Athena names it: DML, DDL, CREATE TABLE AS among it, or UTILITY."""
        return "DML" if self.kind in _DML else "UTILITY" if self.kind in _UTILITY else "DDL"

    def reader(self) -> Reader:
        """Return a reader at its first word."""
        return Reader(self.text, hive=self.kind in _HIVE)


def read(text: str) -> Statement:
    """Tell what kind of statement a text is.

    Raises:
        RefusedError: there is none, there are several, or it is of no known kind.
    """
    try:
        words = Reader(text, hive=False)
    except RefusedError:  # as a backslash before a quote, which only Hive's grammar knows
        words = Reader(text, hive=True)
    head = words.peek(4)
    kind = next((kind for prefix, kind in _HEADS.items() if head[: len(prefix)] == prefix), None)
    if head[:1] == ("(",):
        kind = Kind.SELECT
    if kind is None:
        expected = sorted({prefix[0] for prefix in _HEADS})
        raise RefusedError(
            f"line 1:1: mismatched input '{head[0] if head else '<EOF>'}'. Expecting: {', '.join(expected)}"
        )
    if kind is Kind.CREATE_TABLE and head[1] == "TABLE":
        words.skip(2)
        words.accept("IF", "NOT", "EXISTS")
        words.name()
        if words.peek(1) in (("AS",), ("WITH",), ("COMMENT",)):
            kind = Kind.CREATE_TABLE_AS
    tokens = Reader(text, hive=kind in _HIVE)
    return Statement(kind, tokens.one_statement())


@dataclass(frozen=True)
class Name:
    """A table's name as it was written: one to three parts."""

    parts: tuple[str, ...]

    def within(self, database: str) -> tuple[str, str]:
        """Return database and table, both in lower case.

        Args:
            database: the one of names without one.

        Raises:
            RefusedError: the name is of another catalog.
        """
        if len(self.parts) > 2 and self.parts[0].lower() != "awsdatacatalog":
            raise RefusedError(f"There is no data catalog {self.parts[0]}; this bench has AwsDataCatalog only")
        return (self.parts[-2] if len(self.parts) > 1 else database).lower(), self.parts[-1].lower()


class Reader:
    """Reads a statement token by token.

    Args:
        text: the statement.
        hive: whether it is written in Hive's grammar.

    Raises:
        RefusedError: it can't be taken apart, as where a quote does not end.
    """

    def __init__(self, text: str, *, hive: bool) -> None:
        self.text = text
        self._tokens = _tokens(text, hive)
        self._at = 0

    def one_statement(self) -> str:
        """Return the statement without a semicolon at its end.

        Raises:
            RefusedError: there are several.
        """
        ends = [token.start for token in self._tokens if token.token_type == TokenType.SEMICOLON]
        if any(self.text[token.start] != ";" and token.start > ends[0] for token in self._tokens if ends):
            raise RefusedError("Only one sql statement is allowed")
        return self.text[: ends[0]].rstrip() if ends else self.text.rstrip()

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return self._at >= len(self._tokens)

    @property
    def position(self) -> int:
        """Where the next token begins in the text; its length at the end."""
        return len(self.text) if self.done else self._tokens[self._at].start

    def peek(self, count: int) -> tuple[str, ...]:
        """Return the next words in capitals; quoted names and strings stand as they were written."""
        return tuple(self._word(token) for token in self._tokens[self._at : self._at + count])

    def skip(self, count: int) -> None:
        """Go on by some tokens."""
        self._at += count

    def accept(self, *words: str) -> bool:
        """Go on past the words if they are next; return whether they were."""
        if self.peek(len(words)) != words:
            return False
        self._at += len(words)
        return True

    def expect(self, *words: str) -> None:
        """Go on past the words.

        Raises:
            RefusedError: something else is next.
        """
        if not self.accept(*words):
            raise RefusedError(
                f"mismatched input '{' '.join(self.peek(1)) or '<EOF>'}'. Expecting: '{' '.join(words)}'"
            )

    def expect_end(self) -> None:
        """Make sure that nothing is left.

        Raises:
            RefusedError: something is; it is named.
        """
        if not self.done:
            raise RefusedError(f"extraneous input '{self.text[self.position :].strip()}'")

    def identifier(self) -> str:
        """Read one name, quoted or not."""
        token = self._next("a name")
        if token.token_type not in (TokenType.VAR, TokenType.IDENTIFIER) and not (
            token.token_type == TokenType.STRING and self.text[token.start] == '"'
        ):
            raise RefusedError(f"mismatched input '{token.text}'. Expecting: a name")
        return str(token.text)

    def name(self) -> Name:
        """Read a table's name: parts with dots between them."""
        parts = [self.identifier()]
        while self.accept("."):
            parts.append(self.identifier())
        return Name(tuple(parts))

    def string(self) -> str:
        """Read a text in quotes."""
        token = self._next("a string")
        if token.token_type != TokenType.STRING:
            raise RefusedError(f"mismatched input '{token.text}'. Expecting: a string")
        return unescape(self.text[token.start : token.end + 1])

    def number(self) -> int:
        """Read a whole number."""
        token = self._next("a number")
        if token.token_type != TokenType.NUMBER or not token.text.isdigit():
            raise RefusedError(f"mismatched input '{token.text}'. Expecting: a number")
        return int(token.text)

    def properties(self) -> dict[str, str]:
        """Read `('name' = 'value', ...)`."""
        found = {}
        self.expect("(")
        while not self.accept(")"):
            name = self.string()
            self.expect("=")
            found[name] = self.string()
            if not self.accept(","):
                self.expect(")")
                break
        return found

    def group(self) -> str:
        """Read a pair of parentheses and return what is in it."""
        self.expect("(")
        begin = self.position
        depth = 1
        while True:
            token = self._next("')'")
            depth += {"(": 1, ")": -1}.get(self.text[token.start : token.end + 1], 0)
            if depth == 0:
                return self.text[begin : token.start]

    def until(self, *stops: str) -> str:
        """Read up to one of the words outside of brackets, or to the end; return the text."""
        begin = self.position
        depth = 0
        while not self.done:
            word = self.peek(1)[0]
            if depth == 0 and word in stops:
                break
            depth += {"(": 1, "<": 1, "[": 1, ")": -1, ">": -1, "]": -1}.get(word, 0)
            self._at += 1
        return self.text[begin : self.position].strip()

    def items(self) -> list[str]:
        """Read `(a, b, ...)` and return each item's text."""
        found = []
        self.expect("(")
        while not self.accept(")"):
            found.append(self.until(",", ")"))
            self.accept(",")
        return found

    def rest(self) -> str:
        """Read everything that is left."""
        begin = self.position
        self._at = len(self._tokens)
        return self.text[begin:].strip()

    def last(self, count: int) -> tuple[str, ...]:
        """Return the last words in capitals."""
        return tuple(self._word(token) for token in self._tokens[-count:])

    def begin_of_last(self, count: int) -> int:
        """Return where the last words begin in the text."""
        return int(self._tokens[-count].start)

    def find(self, names: set[str]) -> tuple[str, str] | None:
        """Return where the first of some names stands, as `line 1:8`, and the name; None where none does."""
        for token in self._tokens:
            if token.token_type in (TokenType.VAR, TokenType.IDENTIFIER) and token.text.lower() in names:
                before = self.text[: token.start]
                line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
                return f"line {line}:{column}", token.text.lower()
        return None

    def numbers(self) -> list[tuple[int, int]]:
        """Return where the numbers with a point stand that are no part of a name: begin and end."""
        spans = []
        for index, token in enumerate(self._tokens):
            if token.token_type != TokenType.NUMBER or "e" in token.text.lower():
                continue
            before = self._tokens[index - 1] if index else None
            if before is not None and before.token_type == TokenType.DOT and before.end + 1 == token.start:
                owner = self._tokens[index - 2] if index > 1 else None
                if owner is None or owner.token_type not in _OWNERS or owner.end + 1 != before.start:
                    spans.append((before.start, token.end + 1))
            elif "." in token.text:
                spans.append((token.start, token.end + 1))
        return spans

    def shape(self) -> str:
        """Return the text as far as it decides whether it can be parsed: whole numbers and strings are all the same.

        Two texts of one shape have the same tokens, with blanks between the same ones of them. A string right behind a
        word, as in `X'00'`, and a number of more than 18 digits stay as they are: not all of those can be read.
        """
        written = []
        end = 0
        for token in self._tokens:
            word = self.text[token.start : token.end + 1]
            is_apart = token.start > end
            if word.isdigit() and len(word) <= _DIGITS:
                word = "0"
            elif word.startswith("'") and not re.match(r"[\w&]", self.text[token.start - 1 : token.start]):
                word = "''"
            written.append(f" {word}" if is_apart else word)
            end = token.end + 1
        return "".join(written)

    def _next(self, expected: str) -> Token:
        if self.done:
            raise RefusedError(f"mismatched input '<EOF>'. Expecting: {expected}")
        self._at += 1
        return self._tokens[self._at - 1]

    def _word(self, token: Token) -> str:
        written = self.text[token.start : token.end + 1]
        return written.upper() if token.token_type == TokenType.VAR else written


@lru_cache(maxsize=32)
def _tokens(text: str, hive: bool) -> Sequence[Token]:
    """Take a text apart; a statement on its way is read several times."""
    dialect = _HiveWords() if hive else _TrinoWords()
    try:
        return tuple(dialect.tokenize(text))
    except SqlglotError as error:
        raise RefusedError(f"mismatched input: {error}") from error


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "Z": "\x1a", "0": "\0"}


def unescape(quoted: str) -> str:
    r"""Return the text that a quoted string of Hive's grammar stands for: `'\001'`, `'don\'t'`, `'don''t'`."""
    quote = quoted[0]

    def character(match: re.Match[str]) -> str:
        written = match.group()
        if written == quote * 2:
            return quote
        if match["octal"]:
            return chr(int(match["octal"], 8))
        if match["unicode"]:
            return chr(int(match["unicode"], 16))
        return _ESCAPES.get(written[1], written[1])

    pattern = rf"\\(?P<octal>[01][0-7]{{2}})|\\u(?P<unicode>[0-9A-Fa-f]{{4}})|\\.|{quote}{quote}"
    return re.sub(pattern, character, quoted[1:-1], flags=re.DOTALL)


def engine_type(hive_type: str) -> str:
    """Return a column type of Hive's grammar as the engine writes it; timestamps have six digits, as Iceberg's.

    Raises:
        RefusedError: there is no such type.
    """
    try:
        written = exp.DataType.build(hive_type, dialect="hive").sql("trino")
    except SqlglotError as error:
        raise RefusedError(f"Unknown type: '{hive_type}'") from error
    return re.sub(r"\bTIMESTAMP\b", "TIMESTAMP(6)", written)
