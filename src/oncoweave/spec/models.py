"""Follows an error's path through the models and the written values alike.

Pydantic puts the tag of a union into its paths (`rules, 0, person, birth`), the file has none; and of a
value that may have several forms it tells the errors of all of them. Here the tag is skipped and only the
form that the author meant is kept.
"""

from __future__ import annotations

import re
import types
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from oncoweave.spec.language import Spec
from oncoweave.spec.yaml_tree import Loc, Value

NAMES = {
    "FieldSpec": "field",
    "ExpectationSpec": "expectation",
    "MapRef": "concept by map",
    "CodeRef": "concept by code",
    "CodingRef": "concept by codings",
}
PLURALS = ("defaults", "corrections")


@dataclass(frozen=True)
class Target:
    """Where an error's path leads: the loc in the file, and what is expected there.

    `owner` is the model whose key it is, `model` the innermost model, which may be the value's own. `key` is
    true when the key itself is meant. `wrong_form` is true when the value has none of the forms that it may
    have: `members`, a text, a list.
    """

    loc: Loc
    owner: type[Spec]
    model: type[Spec]
    annotation: Any
    members: tuple[type[Spec], ...] = ()
    takes_text: bool = False
    takes_list: bool = False
    key: bool = False
    wrong_form: bool = False


def resolve(model: type[Spec], data: Value, path: Sequence[str | int]) -> Target | None:
    """The target of an error's path; None when it belongs to a form that the author did not mean."""
    return _follow(Target((), model, model, model), data, tuple(path))


def keys_of(model: type[Spec]) -> dict[str, FieldInfo]:
    """The keys of a model as they are written in the file."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def literals_of(annotation: Any) -> list[str]:
    """The values of a Literal, as text; empty for anything else."""
    options = [option for form in forms_of(annotation) if get_origin(form) is Literal for option in get_args(form)]
    return [str(option) for option in options]


def forms_of(annotation: Any) -> list[Any]:
    """The forms that a value may have, without None and without annotations."""
    if get_origin(annotation) is Annotated:
        return forms_of(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [form for option in get_args(annotation) for form in forms_of(option)]
    return [] if annotation is type(None) else [annotation]


def thing(model: type[Spec]) -> str:
    """What a model is called in a message, with its article."""
    name = NAMES.get(model.__name__) or re.sub(r"(?<!^)(?=[A-Z])", " ", model.__name__).lower()
    if name in PLURALS:
        return f"`{name}`"
    return f"{'an' if name[0] in 'aeio' else 'a'} {name}"


def _follow(at: Target, value: Value, path: Loc) -> Target | None:
    forms = forms_of(at.annotation)
    if len(forms) > 1:
        return _into_union(at, forms, value, path)
    form = forms[0]
    if _is_model(form):
        at = replace(at, model=form)
    if not path:
        return replace(at, annotation=form)
    if path[1:] == ("[key]",):
        return replace(at, loc=(*at.loc, path[0]), key=True)
    below = _annotation_below(form, path[0])
    step = Target((*at.loc, path[0]), at.model, at.model, below)
    return _follow(step, _child(value, path[0]), path[1:]) if below is not None else step


def _into_union(at: Target, forms: list[Any], value: Value, path: Loc) -> Target | None:
    models = tuple(form for form in forms if _is_model(form))
    if len(models) == len(forms):
        chosen = _tagged(models, path[0]) if path else None
        return _follow(replace(at, annotation=chosen), value, path[1:]) if chosen else replace(at, members=models)
    meant = _meant(forms, models, value)
    if meant is None:
        lists = any(get_origin(form) is tuple for form in forms)
        takes_text = any(_is_text(form) for form in forms)
        return replace(at, members=models, takes_text=takes_text, takes_list=lists, wrong_form=True)
    if not path or _form_of_tag(forms, str(path[0])) is not meant:
        return None
    return _follow(replace(at, annotation=meant), value, path[1:])


def _meant(forms: list[Any], models: tuple[type[Spec], ...], value: Value) -> Any:
    """The form that a value has, judged by its shape and, for a map, by its keys."""
    if isinstance(value, dict):
        return max(models, key=lambda model: _likeness(value, model), default=None)
    if isinstance(value, list):
        return next((form for form in forms if get_origin(form) is tuple), None)
    return next((form for form in forms if _is_text(form)), None) if isinstance(value, str) else None


def _likeness(value: dict[str, Value], model: type[Spec]) -> float:
    from rapidfuzz import fuzz, process  # here, for it is needed by faulty files alone

    valid = list(keys_of(model))
    matches = (process.extractOne(key, valid, scorer=fuzz.ratio, score_cutoff=70) for key in value)
    return float(sum(match[1] for match in matches if match))


def _form_of_tag(forms: list[Any], tag: str) -> Any:
    """The form that pydantic means by this part of a path."""
    named = next((form for form in forms if _is_model(form) and form.__name__ == tag), None)
    if named:
        return named
    listed = tag.startswith("tuple")
    return next((form for form in forms if (get_origin(form) is tuple) == listed and not _is_model(form)), None)


def _tagged(models: tuple[type[Spec], ...], tag: str | int) -> type[Spec] | None:
    for model in models:
        if any(tag in literals_of(info.annotation) and info.is_required() for info in keys_of(model).values()):
            return model
    return None


def _annotation_below(form: Any, step: str | int) -> Any:
    if _is_model(form):
        info = keys_of(form).get(str(step))
        return info.annotation if info else None
    if get_origin(form) is dict:
        return get_args(form)[1]
    if get_origin(form) is tuple:
        items = get_args(form)
        return items[0] if items[-1] is ... else items[int(step)] if int(step) < len(items) else None
    return None


def _child(value: Value, step: str | int) -> Value:
    if isinstance(value, dict):
        return value.get(str(step))
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return None


def _is_text(form: Any) -> bool:
    return form is str or get_origin(form) is Literal


def _is_model(form: Any) -> bool:
    return isinstance(form, type) and issubclass(form, Spec)
