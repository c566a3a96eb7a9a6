"""The key `notify:` of `source.yaml`: who is told by mail or webhook when something happens to a source in Airflow."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from oncoweave.spec.language import Spec

MAILBOX = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*$"
Mailbox = Annotated[str, StringConstraints(pattern=MAILBOX, max_length=254)]
"""An e-mail address, without a name beside it."""
VARIABLE = r"^[A-Z][A-Z0-9_]{0,99}$"
Variable = Annotated[str, StringConstraints(pattern=VARIABLE)]
"""The name of an environment variable."""
Occasion = Literal["failure", "approval", "rejected", "published"]


class Notify(Spec):
    """Who is told what happened to a source. A notice holds counts and links, never a value of the data."""

    on: tuple[Literal["failure", "approval", "rejected", "published"], ...] = Field(
        default=("failure", "approval", "rejected"),
        min_length=1,
        description="When: failure: a task failed for good; approval: a run waits for an approval; rejected: a run was not approved, or nobody answered in time; published: there is a new release.",
    )
    email: tuple[Mailbox, ...] = Field(
        default=(),
        max_length=50,
        description="Addresses that get a mail. The mail server is Airflow's connection `smtp_default`.",
    )
    webhook: Variable | None = Field(
        default=None,
        description="The name of the environment variable of the workers that holds the address to which a notice is sent (a chat, a ticket system), such as `ONCOWEAVE_WEBHOOK`. Not the address itself: who knows it can write there.",
    )

    @model_validator(mode="after")
    def _somebody_is_told(self) -> Self:
        if not self.email and self.webhook is None:
            raise ValueError("give `email`, `webhook` or both")
        if len(set(self.on)) != len(self.on):
            raise ValueError("`on` names something twice")
        return self
