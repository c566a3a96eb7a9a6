"""Events, the middle of the house: one row for each clinical fact, from which OMOP and FHIR are projected.

Events never leave the site: they hold raw text and the place in the source file. Concepts are ids; their
code, name and domain stand once in `_concepts.parquet` beside the events. There is one Parquet file for each
branch of a rule; it holds the columns that vary, and `events.json` what is the same in every row (docs/decisions).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from oncoweave.engine.parquet import literal
from oncoweave.files import read_record
from oncoweave.project import RunFolder
from oncoweave.records import EventFile, EventIndex


@dataclass(frozen=True)
class EventColumn:
    """One column of the event table: its DuckDB type and what it holds."""

    name: str
    type: str
    doc: str


def remaining_event_files(run: RunFolder) -> tuple[EventFile, ...]:
    """The event files of a run; none where its events were removed."""
    index = run.events / "events.json"
    return read_record(index, EventIndex).files if index.is_file() else ()


def _columns(text: str) -> tuple[EventColumn, ...]:
    rows = (line.split(None, 2) for line in text.strip().splitlines())
    return tuple(EventColumn(name, kind, doc) for name, kind, doc in rows)


COLUMNS = _columns("""
event_id            BIGINT     keyed hash of the source row (or group) and the rule; stable across runs
person_id           BIGINT     keyed hash of the person's key in the pseudonymisation domain
fact                VARCHAR    what the rule says the fact is
kind                VARCHAR    clinical role of the fact: tnm_t, grade, tumour_size ...
target              VARCHAR    CDM table, by the domain of the standard concept
concept_id          INTEGER    standard concept, 0 = no matching concept
source_concept_id   INTEGER    the source code's own concept, 0 = its vocabulary is not in OMOP
race_concept_id     INTEGER    race of a person, 0 = unmapped
race_source_concept_id INTEGER the race code's own concept
race_source_value   VARCHAR    race as the source has it
ethnicity_concept_id INTEGER   ethnicity of a person, 0 = unmapped
ethnicity_source_concept_id INTEGER the ethnicity code's own concept
ethnicity_source_value VARCHAR ethnicity as the source has it
source_vocabulary   VARCHAR    vocabulary or concept map of the source code
source_code         VARCHAR    the code that selected the concept
source_value        VARCHAR    the text as the source has it, for *_source_value
start_date          DATE       first day, or the day that stands for a partial date
start_time          TIME       time of the first day, where the source knows it
start_precision     VARCHAR    day, month or year: what the source really knows
start_raw           VARCHAR    text of the date in the source
end_date            DATE       last day
end_time            TIME       time of the last day, where the source knows it
end_precision       VARCHAR    day, month or year; ongoing: a visit that had not ended on the day of the delivery
end_raw             VARCHAR    text of the end date in the source
value_number        DOUBLE     numeric value
value_text          VARCHAR    text value of a coded field
value_concept_id    INTEGER    concept of the value, 0 = unmapped
value_source_value  VARCHAR    the value's text as the source has it
operator_concept_id INTEGER    relation of the value to the true one
unit_concept_id     INTEGER    unit of the value, 0 = unmapped
unit_source_value   VARCHAR    unit as the source or the mapping writes it
range_low           DOUBLE     lower limit of the normal range
range_high          DOUBLE     upper limit of the normal range
status_concept_id   INTEGER    condition status
status_source_value VARCHAR    condition status as the source has it
qualifier_concept_id INTEGER   qualifier of an observation
qualifier_source_value VARCHAR qualifier as the source has it
route_concept_id    INTEGER    route of a drug
route_source_value  VARCHAR    route as the source has it
object_concept_id   INTEGER    what an episode is about
cause_concept_id    INTEGER    cause of a death
cause_source_value  VARCHAR    cause as the source has it
quantity            DOUBLE     number of procedures, quantity of a drug
days_supply         INTEGER    days of supply as recorded
days_otherwise      INTEGER    days from the first to the last day of a drug where neither end nor supply is known
refills             INTEGER    refills of a drug
sig                 VARCHAR    directions of a prescription
lot_number          VARCHAR    lot of a drug
dose_unit_source_value VARCHAR unit of a drug's dose as the source has it
stop_reason         VARCHAR    why a condition or a drug ended
modifier_concept_id INTEGER    modifier of a procedure
modifier_source_value VARCHAR  modifier as the source has it
unique_device_id    VARCHAR    device identifier of a device
production_id       VARCHAR    production identifier of a device
number              INTEGER    ordinal of an episode
type_concept_id     INTEGER    where the record comes from
anatomic_site_concept_id INTEGER where on the body a specimen comes from
anatomic_site_source_value VARCHAR the site as the source has it
disease_status_concept_id INTEGER whether a specimen comes from diseased tissue
disease_status_source_value VARCHAR the same as the source has it
own_number          VARCHAR    pseudonym of a specimen's own number
title               VARCHAR    title of a note, where it may leave the site
text                VARCHAR    text of a note, or that it was withheld
encoding_concept_id INTEGER    encoding of a note's text
language_concept_id INTEGER    language of a note's text
modifies            BIGINT     event that this one qualifies
modifies_target     VARCHAR    CDM table of that event
episode             BIGINT     episode that this event belongs to
visit               BIGINT     visit that this event belongs to
visit_detail        BIGINT     visit detail that this event belongs to
parent              BIGINT     visit detail that this one lies within
admitted_from_concept_id INTEGER where a visit's person came from
admitted_from_source_value VARCHAR the same as the source has it
discharged_to_concept_id INTEGER where a visit's person went to
discharged_to_source_value VARCHAR the same as the source has it
first               BIGINT     event that has a relationship
first_target        VARCHAR    CDM table of that event
second              BIGINT     event that it has the relationship to
second_target       VARCHAR    CDM table of that event
relationship_concept_id INTEGER what the first is to the second
reverse_concept_id  INTEGER    what the second is to the first
location            BIGINT     place of a person or a care site; of a place, its own id: a keyed hash of what follows
provider            BIGINT     who treated
care_site           BIGINT     where that was
concept_source_value VARCHAR   country, place of service or specialty as the source has it
address_1           VARCHAR    street and number
address_2           VARCHAR    further line of the address
city                VARCHAR    town
state               VARCHAR    state or region
zip                 VARCHAR    postal code
county              VARCHAR    county or district
latitude            DOUBLE     degrees north
longitude           DOUBLE     degrees east
care_site_name      VARCHAR    name of a care site
gender_concept_id   INTEGER    sex of a provider
gender_source_value VARCHAR    sex of a provider as the source has it
year_of_birth       INTEGER    year of birth of a provider
rule                VARCHAR    rule of the mapping
rule_column         VARCHAR    column of the rule, where it has columns
ordinal             INTEGER    0, or 1, 2 ... for further targets of the same code
source_table        VARCHAR    source table
source_file         VARCHAR    file of the delivery
source_line         BIGINT     first line of the row (of the group's first row)
source_lines        BIGINT[]   lines of all rows of a group
""")

TYPES = {column.name: column.type for column in COLUMNS}


def select_events(folder: Path, file: EventFile, columns: Iterable[str] = tuple(TYPES)) -> str:
    """SQL of a SELECT of these event columns from one event file: what varies from Parquet, what does not as constants."""
    return select_columns(file, f"read_parquet({literal(folder / file.name)})", columns)


def select_columns(file: EventFile, rows: str, columns: Iterable[str] = tuple(TYPES)) -> str:
    """SQL of a SELECT of these event columns from `rows`, which hold what varies in an event file."""
    return f"SELECT {', '.join(_column(file, name) for name in columns)} FROM {rows}"


def union_of(folder: Path, files: Sequence[EventFile], columns: Iterable[str] = tuple(TYPES)) -> str:
    """SQL of a SELECT of these columns from several event files; without a file, of no row."""
    wanted = list(columns)
    if not files:
        return f"SELECT {', '.join(f'CAST(NULL AS {TYPES[n]}) AS {n}' for n in wanted)} WHERE false"
    return " UNION ALL ".join(select_events(folder, file, wanted) for file in files)


def constant_sql(value: str | int | None, column: str) -> str:
    """A constant of an event column as typed SQL."""
    text = "NULL" if value is None else str(value) if isinstance(value, int) else literal(value)
    return f"CAST({text} AS {TYPES[column]})"


def _column(file: EventFile, name: str) -> str:
    if name in file.derived:
        return f"{file.derived[name]} AS {name}"
    return name if name in file.columns else f"{constant_sql(file.constants.get(name), name)} AS {name}"
