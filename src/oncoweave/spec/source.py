"""The language of `source.yaml`: what a delivery holds and how to read it, nothing about its meaning.

Edited by the data steward. Every model is frozen and forbids unknown keys; each key's description is
its line in the editor's hover text and in the reference page.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from oncoweave.spec.approval import Approval
from oncoweave.spec.arrival import Arrival
from oncoweave.spec.delivery import Delivery, QueryFile, TableName
from oncoweave.spec.language import Day, Name, Span, Spec
from oncoweave.spec.notify import Notify
from oncoweave.spec.schedule import Scheduling
from oncoweave.spec.view import View

Language = Literal["en", "de"]
"""The languages that pages are written in; each but English has a catalogue in report/languages."""


class SyntheticOrigin(Spec):
    """A made-up day zero for a source that has durations but no calendar dates."""

    date: Day = Field(description="The day that stands for day zero; `origin()` in an expression.")
    why: str = Field(description="Why this day: it is printed in the release.")


class FieldSpec(Spec):
    """One source field: its header in the file, its type, and how its text is written."""

    type: Literal["code", "integer", "number", "date", "text", "identifier"] = Field(
        description="code: coded value; integer, number, date: parsed; text: free text, never leaves the site; "
        "identifier: part of a key, never leaves the site."
    )
    header: str = Field(
        default="", description="The column's header in the file, to the letter; the field's name if unset."
    )
    formats: tuple[str, ...] = Field(
        default=(),
        description="Date patterns, tried in order: %d day, %m month, %Y year, %y its last two digits, %j day of the year, %b month in letters, with separators; `%m.%Y` gives a month, `%Y` a year. A time may follow the day: %H hours (0-23), %M minutes, %S seconds, %f their fraction, after a blank or the letter T; a Z at the end is a sign only, %z is an offset such as +01:00, which is brought to UTC. `ISO 8601` stands for a day (2015-03-01), and for a day and its time in the ways that the standard and databases have: with T or a blank, without seconds, with a fraction of them, with Z or an offset; without either it counts as UTC.",
    )
    first_year: int | None = Field(
        default=None, description="First of the hundred years that a two-digit year (%y) lies in; required with %y."
    )
    decimal: Literal[".", ","] = Field(default=".", description="The decimal sign of a number.")
    thousands: Literal["", ".", ",", " ", "'"] = Field(default="", description="The thousands sign of a number.")
    missing: tuple[str, ...] = Field(default=(), description="Codes of this field that mean: no value.")
    optional: bool = Field(
        default=False, description="true: a delivery may come without this column, which then reads as empty."
    )
    label: str = Field(default="", description="What the field means, for people.")

    @model_validator(mode="after")
    def _formats_go_with_dates(self) -> Self:
        if (self.type == "date") != bool(self.formats):
            raise ValueError("`formats` is required for a date and for nothing else")
        two_digits = any("%y" in f for f in self.formats)
        if two_digits != (self.first_year is not None):
            raise ValueError("`first_year` is required with %y and for nothing else")
        return self


def missing_codes(shared: Iterable[str], field: FieldSpec) -> list[str]:
    """The texts that mean no value in a field, as written and without blanks around; `shared` are those of its table."""
    written = (*shared, *field.missing)
    return sorted({"", *written} | {code.strip() for code in written})


class RowKey(Spec):
    """What tells one row of a table from another."""

    fields: tuple[str, ...] = Field(default=(), description="The fields that together identify a row.")
    content: bool = Field(
        default=False,
        description="true: the row has no key; the content of its declared fields plus an occurrence number identifies it.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.fields) == self.content:
            raise ValueError("give either `fields` or `content: true`")
        return self


class Removed(Spec):
    """How a delta says which rows are gone: in files of their own, or by a mark in the row."""

    files: str | None = Field(
        default=None,
        description="File name or pattern of the rows that are gone, in the format of the table; of a table with a key only its key is read.",
    )
    field: Name | None = Field(
        default=None,
        description="The field that marks a row of the table's own file as gone, in a full delivery too; of a table with a key.",
    )
    codes: tuple[str, ...] = Field(default=(), description="What stands in that field when the row is gone.")

    @model_validator(mode="after")
    def _files_or_field(self) -> Self:
        if (self.field is None) != (not self.codes):
            raise ValueError("`field` and `codes` go together")
        if self.files is None and self.field is None:
            raise ValueError("give `files`, or `field` with `codes`")
        return self


class TableSpec(Spec):
    """What every kind of source table has."""

    row: RowKey = Field(description="What identifies a row.")
    person: tuple[str, ...] | None = Field(
        default=None,
        description="The fields that identify the person; the row's key if unset. `[]`: the rows tell of no person, "
        "as those of hospitals do (that is seen by itself where only location, care_site and provider rules read them).",
    )
    unique: tuple[tuple[str, ...], ...] = Field(
        default=(), description="Further lists of fields that identify a row, for `joins:` of the mapping."
    )
    missing: tuple[str, ...] = Field(default=("",), description="Texts that mean: no value, in every field.")
    optional: bool = Field(
        default=False,
        description="true: a delivery may come without this file, or with its header alone; the table then has no rows.",
    )
    removed: Removed | None = Field(
        default=None, description="How a delivery that holds changes only (mode: delta) says which rows are gone."
    )
    fields: dict[Name, FieldSpec] = Field(
        default_factory=dict,
        description="The fields by name; a column that is not declared is free text under its header.",
    )


class FileTable(TableSpec):
    """What every table that comes in files has."""

    files: str = Field(
        description="File name or pattern (*.csv) inside the delivery; several files are read as one table. A text file may also come packed, as x.csv.gz for x.csv."
    )

    @property
    def place(self) -> str:
        """Where the rows are, in words."""
        return self.files


class CsvTable(FileTable):
    """A delimited text file; the dialect is stated, never guessed. A name ending in .gz is unpacked."""

    format: Literal["csv"] = Field(description="Delimited text.")
    encoding: str = Field(
        default="utf-8", description="Encoding of the file, as Python names it: utf-8, cp1252, iso8859-7 …"
    )
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="The sign between two columns.")
    quote: str = Field(
        default='"', max_length=1, description="The quoting sign; empty for none. Doubled inside a quoted text."
    )
    skip_lines: int = Field(default=0, ge=0, description="Lines before the header.")


class ParquetTable(FileTable):
    """A Parquet file of plain columns."""

    format: Literal["parquet"] = Field(description="Apache Parquet.")


class ExcelTable(FileTable):
    """A sheet of a workbook (xlsx, xls, xlsb, ods)."""

    format: Literal["excel"] = Field(description="A workbook.")
    sheet: str = Field(description="Name of the sheet.")
    skip_lines: int = Field(default=0, ge=0, description="Rows before the header.")


class FhirTable(FileTable):
    """Resources of FHIR R4 (4.0.1), flattened by a view: NDJSON, Bundles or single resources in JSON."""

    format: Literal["fhir"] = Field(
        description="Resources of FHIR R4: .ndjson, or .json with a Bundle or one resource."
    )
    view: Name = Field(
        description="The view that makes the table: NAME of views/NAME.yaml (or .json) beside source.yaml, a ViewDefinition of SQL on FHIR."
    )
    modifier_extensions: tuple[str, ...] = Field(
        default=(),
        description="Addresses of modifier extensions that may be passed over; a resource with any other is quarantined, for it may say the opposite.",
    )
    _definition: View | None = PrivateAttr(default=None)

    @property
    def definition(self) -> View:
        """The view, as it was read with source.yaml."""
        assert self._definition is not None
        return self._definition

    def with_definition(self, view: View) -> Self:
        """The table with its view."""
        table = self.model_copy()
        table._definition = view
        return table


class SqlTable(TableSpec):
    """A table that is read from a database (`by: database`)."""

    format: Literal["sql"] = Field(description="Rows of a database.")
    query: QueryFile | None = Field(
        default=None, description="A file with one SELECT, sql/NAME.sql beside source.yaml; or give `table`."
    )
    table: TableName | None = Field(
        default=None, description="A table or view of the database, all columns of it: `schema.name`."
    )

    @model_validator(mode="after")
    def _query_or_table(self) -> Self:
        if (self.query is None) == (self.table is None):
            raise ValueError("give either `query` or `table`")
        return self

    @property
    def place(self) -> str:
        """Where the rows are, in words."""
        return self.query or self.table or ""


Table = Annotated[CsvTable | ParquetTable | ExcelTable | FhirTable | SqlTable, Field(discriminator="format")]


class Source(Scheduling):
    """source.yaml: one organisation's feed."""

    version: Literal[1] = Field(description="Version of this language.")
    source: Name = Field(description="Name of the source; its folder has the same name.")
    title: str = Field(description="Name of the source for people.")
    holder: str = Field(description="Organisation that holds the data.")
    kind: Literal["registry", "trial", "hospital"] = Field(
        description="Kind of source; rates are only computed for a registry."
    )
    description: str = Field(default="", description="A paragraph on the source.")
    reference: str = Field(default="", description="Citation or address of the documentation.")
    domain: str = Field(
        default="",
        description="Pseudonymisation domain: sources that share it give a person the same id; the source if unset.",
    )
    delivery: Delivery = Field(description="Where a delivery comes from.")
    arrival: Arrival | None = Field(
        default=None,
        description="Where deliveries arrive, so that each is harmonised when it is whole; with `schedule: on arrival`.",
    )
    expect_every: Span | None = Field(
        default=None,
        description="How often the source delivers at least, as 35d: a check tells when the delivery before is longer ago than that.",
    )
    origin: SyntheticOrigin | None = Field(
        default=None, description="Synthetic day zero of a source without calendar dates."
    )
    approval: Approval | None = Field(
        default=None,
        description="Who looks at a run before it is published. Without this key Airflow asks whoever may answer there, and the command line publishes a run that passes at once.",
    )
    notify: Notify | None = Field(
        default=None, description="Who is told by mail or webhook when something happens to the source in Airflow."
    )
    small_cells: int = Field(
        default=5,
        ge=2,
        le=100,
        description="The least number of persons that is told: counts from 1 to one less are left out of distributions and lists of codes, and others by which they could be worked out.",
    )
    language: Language = Field(
        default="en",
        description="Language of the quality report and the other pages of a run: en, de. ONCOWEAVE_LANGUAGE and `oncoweave report --language` win over it, but not for the pages of a release.",
    )
    tables: dict[Name, Table] = Field(min_length=1, description="The source tables by name.")

    @property
    def required_approval(self) -> Approval | None:
        """The approval without which nothing is published, wherever it is run from."""
        return self.approval if self.approval and self.approval.needed else None

    @property
    def airflow_approval(self) -> Approval | None:
        """What Airflow asks for before it publishes; None where source.yaml says that none is needed."""
        return Approval() if self.approval is None else self.required_approval


PROCEDURE = frozenset({*Scheduling.model_fields, "arrival", "approval", "notify"})
"""The keys that say when a source is run, who approves and who is told: nothing in the tables depends on them."""
