"""Compiled paths give the answers of the evaluator: on any resource, however odd, and on any path of the subset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from oncoweave.engine.fhir.compiled_paths import Start, compiled
from oncoweave.engine.fhir.paths import PathError, evaluated, node_at, value_of
from oncoweave.spec.view import View

RESOURCE = Start("Observation", "Observation", is_whole=True)
COMPONENT = Start("Observation.component", "Observation")
LOINC = "http://loinc.org"

texts = st.sampled_from(["final", "Patient/1", "8480-6", LOINC, "", "2015-02-03", "x"])
plain = st.one_of(texts, st.booleans(), st.integers(-1, 2), st.sampled_from([Decimal("1.50"), Decimal("2")]))
NAMES = (
    "status", "_status", "code", "coding", "system", "subject", "reference", "component", "value", "valueQuantity",
    "valueString", "valueInteger", "valueBoolean", "_valueString", "valueCodeableConcept", "extension", "url", "id",
    "effectiveDateTime", "effectivePeriod", "start", "category", "unit", "given",
)  # fmt: skip
"""Members anywhere: a resource may be of the wrong shape."""


def _within(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    members = st.dictionaries(st.sampled_from(NAMES), inner, min_size=1, max_size=4)
    return st.one_of(members, st.lists(st.one_of(plain, members), min_size=1, max_size=3))


anything = st.recursive(plain, _within, max_leaves=6)
extensions = st.lists(
    st.fixed_dictionaries(
        {}, optional={"url": st.sampled_from(["u", "w"]), "valueString": texts, "valueInteger": plain}
    ),
    min_size=1,
    max_size=3,
)
codings = st.lists(
    st.fixed_dictionaries(
        {}, optional={"system": st.sampled_from([LOINC, "x"]), "code": texts, "_code": st.just({"id": "i"})}
    ),
    min_size=1,
    max_size=3,
)
concept = st.fixed_dictionaries({}, optional={"coding": codings, "text": texts, "extension": extensions})
choices = {
    "valueQuantity": st.fixed_dictionaries({"value": plain, "unit": texts}),
    "valueString": texts,
    "_valueString": st.fixed_dictionaries({"extension": extensions}),
    "valueInteger": st.integers(0, 2),
    "valueBoolean": st.booleans(),
    "valueCodeableConcept": concept,
}
component = st.fixed_dictionaries({}, optional={"code": concept, "extension": extensions, **choices})
sound = st.fixed_dictionaries(
    {"resourceType": st.just("Observation")},
    optional={
        "id": texts, "status": texts, "_status": st.fixed_dictionaries({"extension": extensions}), "code": concept,
        "category": st.lists(concept, min_size=1, max_size=2), "extension": extensions,
        "subject": st.fixed_dictionaries({"reference": texts}), "effectiveDateTime": texts,
        "component": st.lists(component, min_size=1, max_size=3), **choices,
        "contained": st.lists(
            st.fixed_dictionaries(
                {}, optional={"resourceType": st.sampled_from(["Patient", "Device"]), "id": texts, "status": texts, "type": concept}
            ), min_size=1, max_size=2,
        ),
    },
)  # fmt: skip
odd = st.dictionaries(st.sampled_from(NAMES), anything, max_size=5).map(
    lambda one: {**one, "resourceType": "Observation"}
)
resources = st.one_of(sound, odd)

TYPES = ("Quantity", "string", "integer", "boolean", "CodeableConcept", "dateTime", "Element", "FHIR.string", "Coding")
members = st.sampled_from(
    ["status", "code", "coding", "code.coding", "code.coding.code", "category.coding", "system", "text", "component",
     "component.value", "value", "effective", "extension", "subject", "subject.reference", "id", "unit", "url",
     "component.code.coding.system", "valueString", "`code`", "contained", "contained.ofType(Device)",
     "contained.ofType(Device).type.coding.code"]
)  # fmt: skip
heads = st.one_of(
    members, members, st.sampled_from(["$this", "%resource", "%resource.status", "Observation", "Observation.code"])
)
literals = st.sampled_from(
    [f"'{LOINC}'", "'x'", "'final'", "1", "1.5", "true", "false", "%wanted", "%number", "%rowIndex"]
)


def _calls(criteria: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.sampled_from(["first()", "last()", "exists()", "empty()", "not()", "count()", "getResourceKey()"]),
        st.sampled_from(["getReferenceKey()", "getReferenceKey(Patient)", "extension('u')", "startsWith('Pat')"]),
        st.sampled_from(TYPES).map("ofType({})".format),
        members,
        criteria.map("where({})".format),
        criteria.map("where({})".format),
        criteria.map("exists({})".format),
    )


def _longer(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(heads, st.lists(_calls(inner), max_size=4)).map(lambda parts: ".".join([parts[0], *parts[1]])),
        st.tuples(inner, st.sampled_from(["=", "!="]), literals).map(" ".join),
        st.tuples(members, st.sampled_from(["=", "!="]), literals).map(" ".join),
        st.tuples(inner, st.sampled_from(["and", "or", "=", "!="]), inner).map(
            lambda parts: "({}) {} ({})".format(*parts)
        ),
        st.tuples(inner, inner, inner).map(lambda parts: "iif({}, {}, {})".format(*parts)),
        st.tuples(inner, inner).map(lambda parts: "({}) & {}".format(*parts)),
        st.tuples(inner, inner).map(lambda parts: "iif({}, {})".format(*parts)),
        st.tuples(members, st.integers(0, 2)).map(lambda parts: "{}[{}]".format(*parts)),
    )


paths = st.recursive(heads, _longer, max_leaves=5)
VARIABLES = {"wanted": "x", "number": 1, "rowIndex": 2}


def both_ways(path: str, start: Start, element: Any, resource: Any) -> tuple[Any, Any] | None:
    """What the compiled path and the evaluator find, `error` where they fail; None when the path is not in the subset."""
    short = compiled(path, start)
    if short is None:
        return None
    variables = {**VARIABLES, "resource": resource}
    node = element if start.is_whole else node_at(element, start.path)
    return answer(short.follow, element, variables), answer(evaluated(path), node, variables)


def answer(follow: Callable[..., list[Any]], element: Any, variables: Mapping[str, Any]) -> Any:
    try:
        return [value_of(one) for one in follow(element, variables)]
    except PathError as error:
        return str(error)


@settings(max_examples=600, deadline=None)
@given(path=paths, resource=resources)
def test_a_path_from_the_resource(path: str, resource: dict[str, Any]) -> None:
    answers = both_ways(path, RESOURCE, resource, resource)
    if answers is not None:
        assert answers[0] == answers[1]


@settings(max_examples=200, deadline=None)
@given(path=paths, element=st.one_of(component, anything), resource=resources)
def test_a_path_from_an_element(path: str, element: Any, resource: dict[str, Any]) -> None:
    answers = both_ways(path, COMPONENT, element, resource)
    if answers is not None:
        assert answers[0] == answers[1]


@pytest.mark.parametrize(
    "path",
    ["value.coding", "contained.where(id = 'a')", "contained.ofType(Resource)", "name.given.join(' ')", "effective > @2015", "value is Quantity",
     "code.text + 'x'", "status | id", "%context.id", "value.where(true)", "code.children()", "-1", "component.first().iif(true, 1)"],
)  # fmt: skip
def test_what_is_not_in_the_subset_is_left_to_the_evaluator(path: str) -> None:
    assert compiled(path, RESOURCE) is None


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("code.coding.where(system = 'http://loinc.org').first().code", ["8480-6"]),
        ("code.coding.where(system != 'http://loinc.org').code", ["b"]),
        ("value.ofType(Quantity).value", [Decimal("1.50")]),
        ("value.ofType(string)", []),
        ("iif(effective.ofType(dateTime).exists(), effective.ofType(dateTime), issued)", ["2015"]),
        ("subject.getReferenceKey(Patient)", ["Patient/p"]),
        ("subject.getReferenceKey(Group)", []),
        ("getResourceKey()", ["Observation/o"]),
        ("extension('u').value.ofType(boolean)", [False]),
        ("extension.where(value.ofType(boolean)).url", ["w"]),
        ("extension.exists(url = 'u' and value.ofType(boolean).not())", [True]),
        ("contained.ofType(Device).type.text", ["pump"]),
        ("contained.ofType(Patient).id", []),
        ("iif(status = 'x', 'patient', {})", []),
        ("status & '-' & issued & 'x'", ["final-x"]),
        ("code.coding[1].code", ["b"]),
        ("code.coding.last().code", ["b"]),
        ("code.coding.count()", [2]),
        ("status.empty() or status = %wanted", [False]),
        ("subject.reference.startsWith('Patient/')", [True]),
    ],
)
def test_a_path_of_the_subset(path: str, found: list[Any]) -> None:
    codings = [{"system": LOINC, "code": "8480-6"}, {"system": "x", "code": "b"}]
    resource = {
        "resourceType": "Observation", "id": "o", "status": "final", "code": {"coding": codings},
        "contained": [{"resourceType": "Device", "id": "d", "type": {"text": "pump"}}],
        "valueQuantity": {"value": Decimal("1.50")}, "effectiveDateTime": "2015", "subject": {"reference": "Patient/p"},
        "extension": [{"url": "u", "valueBoolean": False}, {"url": "w", "valueBoolean": True}],
    }  # fmt: skip
    assert both_ways(path, RESOURCE, resource, resource) == (found, found)


def test_every_path_of_the_views_that_oncoweave_brings_is_compiled() -> None:
    left = []
    for file in sorted((Path(__file__).parents[2] / "mappings" / "sources").glob("*/views/*.yaml")):
        view = View.model_validate(YAML(typ="safe").load(file.read_text(encoding="utf-8")))
        whole = Start(view.resource, view.resource, is_whole=True)
        left += [(file.name, where.path) for where in view.where if compiled(where.path, whole) is None]
        for part in view.select:
            path = part.for_each or part.for_each_or_null
            each = compiled(path, whole) if path else None
            start = Start(each.type, view.resource) if each else whole
            left += [(file.name, column.path) for column in part.column if compiled(column.path, start) is None]
    assert left == []
