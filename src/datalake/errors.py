"""What can go wrong, each error named for it and saying what to do."""


class DatalakeError(Exception):
    """Any error of this package whose text is meant for a person."""


class LakeRootError(DatalakeError):
    """The folder that `DATALAKE_ROOT` names can't be used."""


class LakeBusyError(DatalakeError):
    """Another process holds the lake's database open."""


class DeclarationError(DatalakeError):
    """A source YAML under `models/raw/` is missing, can't be read or doesn't fit the files."""


class RecordError(DatalakeError):
    """A record can't be landed; the text names its position, counted from 1."""


class BatchError(DatalakeError):
    """A batch can't be ingested under the name that it was given, or not to that place."""


class SourceError(BatchError):
    """A data set with several producers was not told which, or one that has none was told one."""


class RawChangedError(DatalakeError):
    """A raw file that the ledger knows was changed or removed; raw is append-only."""


class EventError(DatalakeError):
    """A message is no event of S3, or not a whole one."""


class LandingError(DatalakeError):
    """An object of the landing zone can't be brought into the raw layout."""


class NotInLedgerError(DatalakeError):
    """A data set or a file was named that the ledger does not hold."""


class RequestError(DatalakeError):
    """A request can't be done as it is asked; the text is why.

    Attributes:
        field: what of the request is wrong, by its path, e.g. `maxRows`.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


class SettingError(DatalakeError):
    """A setting of the environment is missing."""


class BucketError(DatalakeError):
    """The bucket that `DATALAKE_BUCKET` names is missing or can't be used, or none is named."""


class AwsError(DatalakeError):
    """AWS could not be reached, or refused a request."""


class QueryFailedError(DatalakeError):
    """Athena refused a statement, or did not finish it; the text is its reason.

    Attributes:
        is_callers: whether the statement itself is to blame, as for its grammar or a name that is not there.
    """

    def __init__(self, text: str, is_callers: bool = False) -> None:
        super().__init__(text)
        self.is_callers = is_callers


class QueryTimeoutError(DatalakeError):
    """A statement took longer than it may, and was cancelled."""


class ValueOfTypeError(DatalakeError):
    """A value that Athena wrote is not of its column's type, or Python has no such value."""


class NotReadOnlyError(DatalakeError):
    """A statement that may only read does more, or can't be read."""


class PackagingError(DatalakeError):
    """The zip of the Lambda functions can't be made."""


class CostError(DatalakeError):
    """What a run scanned can't be told."""


class ChainError(DatalakeError):
    """The daily run can't begin, or can't go on."""


class JobArgumentError(DatalakeError):
    """A Glue job was given a location or a token that it can't take."""


class JobNotFoundError(DatalakeError):
    """There is no such Glue job, or no such run of it."""


class JobBusyError(DatalakeError):
    """A Glue job runs as often at once as it may."""


class JobFailedError(DatalakeError):
    """A run of a Glue job ended without success; the text is its reason."""


class JobUnfinishedError(DatalakeError):
    """A run of a Glue job was not at its end in time; it runs on."""


class CatalogError(DatalakeError):
    """A table of the Glue catalog is missing, or its partitions can't be told or made known."""


class TableDefinitionError(DatalakeError):
    """A table can't be made as it is described; the text names the column, the type or the setting."""


class DeliveryError(DatalakeError):
    """A build or the site can't be published, or there is no build to compare with."""
