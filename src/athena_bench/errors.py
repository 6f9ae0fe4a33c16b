"""What the bench itself can fail with; errors of a query are the query's own, in its status."""


class BenchError(Exception):
    """The bench can't do its work; the text says why and what to do."""


class PartsError(BenchError):
    """A part of the engine can't be downloaded, or isn't what it should be."""


class EngineError(BenchError):
    """The engine doesn't start, or ended by itself."""


class QueryError(Exception):
    """A statement failed on the engine.

    Attributes:
        name: the engine's name of the error, as `SYNTAX_ERROR`.
        kind: who is at fault: `USER_ERROR`, `INTERNAL_ERROR`, `INSUFFICIENT_RESOURCES` or `EXTERNAL`.
        message: the engine's sentence.
        input_bytes: what it read from storage until then.
    """

    def __init__(self, name: str, kind: str, message: str, input_bytes: int = 0) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.kind = kind
        self.message = message
        self.input_bytes = input_bytes


class RefusedError(Exception):
    """The bench, or Athena itself, takes no such statement; the text names it."""
