"""The rule of `mapping.yaml` for notes, and what of them may leave the site."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from oncoweave.spec.language import Name, Spec
from oncoweave.spec.rule import Concept, Expr, ProviderName, RuleSpec, VisitLink


class NoteRelease(Spec):
    """What of a note may leave the site, and why. A note is free text about a person: without this nothing does."""

    text: bool = Field(default=False, description="Whether the text itself leaves the site.")
    title: bool = Field(default=False, description="Whether the title leaves the site.")
    because: Expr = Field(
        description="Why it may leave, and who decided it; the release, its manifest and the recap repeat it."
    )

    @model_validator(mode="after")
    def _something_leaves(self) -> Self:
        if not (self.text or self.title):
            raise ValueError("say what leaves the site: `text: true`, `title: true`")
        return self


class NoteRule(RuleSpec):
    """A note: a letter, a report. Its text stays at the site unless `release` says why it may leave."""

    fact: Literal["note"] = Field(description="A note: a letter, a report, free text about a person.")
    date: Expr = Field(description="Expression of the date.")
    text: Expr = Field(description="The text; a row without one is excluded. It stays at the site without `release`.")
    title: Expr | None = Field(default=None, description="The title, free text too: empty without `release`.")
    release: NoteRelease | None = Field(
        default=None,
        description="What of the note may leave the site, and why; without it the release has the note, and says in place of the text that it was withheld.",
    )
    concept: Concept | None = Field(
        default=None, description="Class of the note, such as a kind of document in LOINC; concept 0 if unset."
    )
    source_value: Expr | None = Field(
        default=None, description="Text for note_source_value, when it is not the code of the class itself."
    )
    encoding: Concept | None = Field(
        default=None,
        description="Encoding of the released text, which is always UTF-8 (OMOP:32678); concept 0 if unset.",
    )
    language: Concept | None = Field(default=None, description="Language of the text; concept 0 if unset.")
    modifies: Name | None = Field(
        default=None, description="The rule whose fact of the same row (or group) the note is about."
    )
    visit: Name | VisitLink | None = Field(
        default=None,
        description="The visit rule that the note belongs to, or {rule: …, by: date}; the note is kept where there is no such visit.",
    )
    visit_detail: Name | VisitLink | None = Field(
        default=None, description="The visit_detail rule that the note belongs to, found as `visit` is."
    )
    provider: ProviderName | None = Field(
        default=None, description="The provider rule of who wrote it; `from visit`: the provider of the visit."
    )
