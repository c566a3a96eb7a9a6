"""Great Expectations' own expectations that a suite may name, and those that it may not, with the reason; imports nothing of it.

Refused are those that need pandas, take SQL, or whose result is a value of the data. A few of the latter are allowed
for fields that hold no patient's value (`Definition.tells_value`).
"""

from __future__ import annotations

from collections.abc import Mapping

from oncoweave.quality.expectation import COLUMN, Definition, Parameter, RowSql

_FILLED = "$column IS NOT NULL"
_VALUES = Parameter("values", "The values.")
_LIST = Parameter("columns", "The fields, two or more.")
_LOWEST = Parameter("bound", "Lowest value.", required=False)
_HIGHEST = Parameter("bound", "Highest value.", required=False)
_LEAST = Parameter("number", "Lowest number.", required=False)
_MOST = Parameter("number", "Highest number.", required=False)
_FEWEST_ROWS = Parameter("integer", "Fewest rows.", required=False)
_MOST_ROWS = Parameter("integer", "Most rows.", required=False)
_STRICT_MIN = Parameter("flag", "Whether the lowest value itself is outside.", required=False, absent="false")
_STRICT_MAX = Parameter("flag", "Whether the highest value itself is outside.", required=False, absent="false")
_REGEX = Parameter("pattern", "The regular expression (RE2), found anywhere in the text unless it has ^ and $.")
_REGEXES = Parameter("patterns", "The regular expressions (RE2).")
_LIKE = Parameter("text", "The pattern of SQL's LIKE: % stands for any text, _ for one character.")
_ANY = Parameter(
    "text", "any (the default): one must match; all: each must.", required=False, absent="'any'", choices=("any", "all")
)
_PAIR = Parameter(
    "text", "When a row is not judged; both_values_are_missing unless said.", required=False,
    absent="'both_values_are_missing'", choices=("both_values_are_missing", "either_value_is_missing", "neither"),
)  # fmt: skip
_RECORD = Parameter(
    "text", "When a row is not judged; all_values_are_missing unless said.", required=False,
    absent="'all_values_are_missing'", choices=("all_values_are_missing", "any_value_is_missing", "never"),
)  # fmt: skip
_PAIR_JUDGED = (
    "CASE $ignore_row_if WHEN 'neither' THEN true WHEN 'either_value_is_missing' THEN $column_A IS NOT NULL AND "
    "$column_B IS NOT NULL ELSE $column_A IS NOT NULL OR $column_B IS NOT NULL END"
)
_OUTSIDE = (
    "coalesce({0} < $min_value, false) OR coalesce({0} > $max_value, false) OR coalesce($strict_min AND {0} = $min_value, false) "
    "OR coalesce($strict_max AND {0} = $max_value, false)"
)


def _gx(name: str, doc: str, failing: RowSql | None = None, /, **parameters: Parameter) -> Definition:
    """One of Great Expectations; `failing` is the condition by which we find the keys of the rows."""
    return Definition(name, doc, parameters, failing=failing)


def _of_table(
    name: str, doc: str, /, *, where: bool = True, tells_value: bool = False, **parameters: Parameter
) -> Definition:
    """One that holds for the table as a whole, or does not."""
    return Definition(name, doc, parameters, mostly=False, where=where, tells_value=tells_value)


def _bounds(name: str, doc: str, /, *, tells_value: bool = False) -> Definition:
    """One number made of all values of a field, within bounds."""
    low, high = (_LOWEST, _HIGHEST) if tells_value else (_LEAST, _MOST)
    return _of_table(
        name, doc, tells_value=tells_value, column=COLUMN, min_value=low, max_value=high, strict_min=_STRICT_MIN, strict_max=_STRICT_MAX
    )  # fmt: skip


_VALUES_OF_A_FIELD = (
    _gx("expect_column_values_to_not_be_null", "The field is filled.", RowSql("$column IS NULL"), column=COLUMN),
    _gx("expect_column_values_to_be_null", "The field is empty.", RowSql("$column IS NOT NULL"), column=COLUMN),
    _gx(
        "expect_column_values_to_be_unique",
        "No value of the field occurs twice.",
        RowSql("r.check_times > 1", _FILLED, rows="SELECT *, count(*) OVER (PARTITION BY $column) AS check_times FROM batch AS r"),
        column=COLUMN,
    ),
    _gx(
        "expect_column_values_to_be_between",
        "The value lies within bounds; an empty one is not judged.",
        RowSql(_OUTSIDE.format("$column"), _FILLED),
        column=COLUMN,
        min_value=_LOWEST,
        max_value=_HIGHEST,
        strict_min=_STRICT_MIN,
        strict_max=_STRICT_MAX,
    ),
    _gx(
        "expect_column_values_to_be_in_set",
        "The value is one of a list.",
        RowSql("$column NOT IN $value_set", _FILLED),
        column=COLUMN,
        value_set=_VALUES,
    ),
    _gx(
        "expect_column_values_to_not_be_in_set",
        "The value is none of a list.",
        RowSql("$column IN $value_set", _FILLED),
        column=COLUMN,
        value_set=_VALUES,
    ),
)  # fmt: skip

_TEXTS = (
    _gx(
        "expect_column_values_to_match_regex",
        "The text contains a match of the regular expression.",
        RowSql("NOT regexp_matches($column, $regex)", _FILLED),
        column=COLUMN,
        regex=_REGEX,
    ),
    _gx(
        "expect_column_values_to_not_match_regex",
        "The text contains no match of the regular expression.",
        RowSql("regexp_matches($column, $regex)", _FILLED),
        column=COLUMN,
        regex=_REGEX,
    ),
    _gx(
        "expect_column_values_to_match_regex_list",
        "The text contains a match of one of the regular expressions, or of all of them.",
        RowSql(
            "NOT CASE $match_on WHEN 'all' THEN len(list_filter([$regex_list], lambda p: NOT regexp_matches($column, p))) = 0 "
            "ELSE len(list_filter([$regex_list], lambda p: regexp_matches($column, p))) > 0 END",
            _FILLED,
        ),
        column=COLUMN,
        regex_list=_REGEXES,
        match_on=_ANY,
    ),
    _gx(
        "expect_column_values_to_not_match_regex_list",
        "The text contains no match of any of the regular expressions.",
        RowSql("len(list_filter([$regex_list], lambda p: regexp_matches($column, p))) > 0", _FILLED),
        column=COLUMN,
        regex_list=_REGEXES,
    ),
    _gx(
        "expect_column_values_to_match_like_pattern",
        "The text is of a pattern.",
        RowSql("$column NOT LIKE $like_pattern", _FILLED),
        column=COLUMN,
        like_pattern=_LIKE,
    ),
    _gx(
        "expect_column_values_to_not_match_like_pattern",
        "The text is not of a pattern.",
        RowSql("$column LIKE $like_pattern", _FILLED),
        column=COLUMN,
        like_pattern=_LIKE,
    ),
    _gx(
        "expect_column_value_lengths_to_be_between",
        "The text's length lies within bounds.",
        RowSql("coalesce(length($column) < $min_value, false) OR coalesce(length($column) > $max_value, false)", _FILLED),
        column=COLUMN,
        min_value=Parameter("integer", "Fewest characters.", required=False),
        max_value=Parameter("integer", "Most characters.", required=False),
    ),
    _gx(
        "expect_column_value_lengths_to_equal",
        "The text has exactly so many characters.",
        RowSql("length($column) <> $value", _FILLED),
        column=COLUMN,
        value=Parameter("integer", "Number of characters."),
    ),
)  # fmt: skip

_FIELDS_TOGETHER = (
    _gx(
        "expect_compound_columns_to_be_unique",
        "No combination of the fields occurs twice.",
        RowSql(
            "r.check_times > 1", "concat($column_list) <> ''",
            rows="SELECT *, count(*) OVER (PARTITION BY $column_list) AS check_times FROM batch AS r",
        ),
        column_list=Parameter("columns", "The fields that together are unique."),
    ),
    _gx(
        "expect_column_pair_values_a_to_be_greater_than_b",
        "The value of one field is greater than that of another, or equal if so said.",
        RowSql("NOT ($column_A > $column_B OR ($or_equal AND $column_A = $column_B))", _PAIR_JUDGED),
        column_A=Parameter("column", "The field with the greater value."),
        column_B=Parameter("column", "The field with the smaller value."),
        or_equal=Parameter("flag", "Whether the two may be equal.", required=False, absent="false"),
        ignore_row_if=_PAIR,
    ),
    _gx(
        "expect_column_pair_values_to_be_equal",
        "Two fields hold the same value.",
        RowSql("NOT ($column_A = $column_B)", _PAIR_JUDGED),
        column_A=Parameter("column", "The one field."),
        column_B=Parameter("column", "The other field."),
        ignore_row_if=_PAIR,
    ),
    _gx("expect_multicolumn_values_to_be_equal", "All the fields hold the same value.", column_list=_LIST, ignore_row_if=_RECORD),
    _gx(
        "expect_multicolumn_sum_to_equal",
        "The fields of a row add up to a number.",
        column_list=_LIST,
        sum_total=Parameter("number", "The sum."),
        ignore_row_if=_RECORD,
    ),
    _gx(
        "expect_select_column_values_to_be_unique_within_record",
        "No two of the fields hold the same value in one row.",
        column_list=_LIST,
        ignore_row_if=_RECORD,
    ),
)  # fmt: skip

_TABLES = (
    _of_table("expect_table_row_count_to_equal", "The table has exactly so many rows.", value=Parameter("integer", "Number of rows.")),
    _of_table("expect_table_row_count_to_be_between", "The table's number of rows lies within bounds.", min_value=_FEWEST_ROWS, max_value=_MOST_ROWS),
    _of_table(
        "expect_table_row_count_to_equal_other_table",
        "The table has as many rows as another.",
        where=False,
        other_table_name=Parameter("table_name", "The other table."),
    ),
    _bounds("expect_column_mean_to_be_between", "The mean of the field's values lies within bounds."),
    _bounds("expect_column_stdev_to_be_between", "The standard deviation of the field's values lies within bounds."),
    _bounds("expect_column_sum_to_be_between", "The sum of the field's values lies within bounds."),
    _bounds("expect_column_unique_value_count_to_be_between", "The number of different values lies within bounds."),
    _bounds("expect_column_proportion_of_unique_values_to_be_between", "The share of values that differ (0-1) lies within bounds."),
    _bounds("expect_column_proportion_of_non_null_values_to_be_between", "The share of rows in which the field is filled (0-1) lies within bounds."),
    _bounds("expect_column_min_to_be_between", "The lowest value lies within bounds.", tells_value=True),
    _bounds("expect_column_max_to_be_between", "The highest value lies within bounds.", tells_value=True),
    _of_table(
        "expect_column_distinct_values_to_be_in_set",
        "Every value that occurs is one of a list.",
        tells_value=True,
        column=COLUMN,
        value_set=_VALUES,
    ),
    _of_table(
        "expect_column_distinct_values_to_contain_set",
        "Every value of a list occurs.",
        tells_value=True,
        column=COLUMN,
        value_set=_VALUES,
    ),
    _of_table(
        "expect_column_distinct_values_to_equal_set",
        "The values that occur are those of a list, no fewer and no more.",
        tells_value=True,
        column=COLUMN,
        value_set=_VALUES,
    ),
    _of_table(
        "expect_column_most_common_value_to_be_in_set",
        "The commonest value is one of a list.",
        tells_value=True,
        column=COLUMN,
        value_set=_VALUES,
    ),
)  # fmt: skip

GREAT_EXPECTATIONS: tuple[Definition, ...] = (*_VALUES_OF_A_FIELD, *_TEXTS, *_FIELDS_TOGETHER, *_TABLES)
"""Those that a suite may name."""

_A_VALUE = "its result is a value of the data"
_PANDAS = "Great Expectations runs it on pandas only"
_TYPE = "expect_columns_of_the_model judges the columns and their types"
_SQL = "a suite holds no SQL of its own; expect_rows_to_meet takes a condition"
REFUSED: Mapping[str, str] = {
    "expect_column_median_to_be_between": _A_VALUE,
    "expect_column_quantile_values_to_be_between": _A_VALUE,
    "expect_column_kl_divergence_to_be_less_than": "its result holds the distribution of the values",
    "expect_column_value_z_scores_to_be_less_than": "it fails on a few far values or hides them, by how many there are; use bounds",
    "expect_column_values_to_not_be_outliers": "what is far from the others need not be wrong; use bounds",
    "expect_column_values_to_be_increasing": f"rows have no order; {_PANDAS}",
    "expect_column_values_to_be_decreasing": f"rows have no order; {_PANDAS}",
    "expect_column_values_to_be_dateutil_parseable": f"{_PANDAS}; dates of the target tables are dates",
    "expect_column_values_to_match_strftime_format": f"{_PANDAS}; dates of the target tables are dates",
    "expect_column_values_to_be_json_parseable": _PANDAS,
    "expect_column_values_to_match_json_schema": _PANDAS,
    "expect_column_values_to_be_of_type": _TYPE,
    "expect_column_values_to_be_in_type_list": _TYPE,
    "expect_column_type_to_be": _TYPE,
    "expect_column_to_exist": _TYPE,
    "expect_table_columns_to_match_ordered_list": _TYPE,
    "expect_table_columns_to_match_set": _TYPE,
    "expect_table_column_count_to_equal": _TYPE,
    "expect_table_column_count_to_be_between": _TYPE,
    "expect_column_values_to_match_like_pattern_list": "use expect_column_values_to_match_regex_list",
    "expect_column_values_to_not_match_like_pattern_list": "use expect_column_values_to_not_match_regex_list",
    "expect_column_pair_values_to_be_in_set": "use expect_rows_to_meet",
    "expect_multicolumn_values_to_be_unique": "use expect_select_column_values_to_be_unique_within_record",
    "expect_query_results_to_match_comparison": _SQL,
    "unexpected_rows_expectation": _SQL,
}
"""The others, each with the reason why a suite may not name it."""

_WITHOUT_PATIENTS = ("cdm_source", "metadata", "care_site", "location")


def holds_patients_values(table: str, column: str) -> bool:
    """Whether a field's values are of patients: all but concept ids, and those of tables without persons."""
    return not column.endswith("_concept_id") and table not in _WITHOUT_PATIENTS
