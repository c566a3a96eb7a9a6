"""All checks of the FHIR of a run, at once: what the check stage calls, with the validator on a sample or on everything."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from oncoweave.engine.connection import connect, without_values
from oncoweave.files import make_private_folder, work_folder
from oncoweave.project import RunFolder
from oncoweave.quality.fhir.conformance import Tell, Validated, findings, validate
from oncoweave.quality.fhir.failing import FILE, Kept
from oncoweave.quality.fhir.reconciliation import JudgedType, Reconciliation, reconcile
from oncoweave.quality.fhir.resources import files_by_type, load
from oncoweave.quality.run_checks.finding import Finding
from oncoweave.records import MapRecord


@dataclass(frozen=True)
class Examined:
    """What was found in the FHIR of a run, and how the two models agree."""

    findings: Sequence[Finding]
    reconciliation: Reconciliation


def examine(run: RunFolder, mapped: MapRecord, *, every: bool = False, tell: Tell | None = None) -> Examined | None:
    """Judge what `run` wrote as FHIR; None where its mapping asks for none. Keeps the ids of failing resources in the quarantine.

    With `every`, the validator looks at every resource and `tell` is told how far it is.
    """
    if mapped.fhir is None:
        return None
    files = files_by_type(run.fhir, mapped.fhir)
    make_private_folder(run.quarantine)
    allowed = [folder for folder in (run.fhir, run.tables, run.events, run.quarantine) if folder.is_dir()]
    with (
        work_folder(run, "fhir_checks") as work,
        closing(connect(work=work, allow=allowed)) as connection,
        without_values("checking the FHIR resources"),
    ):
        kept = Kept(connection)
        unread = load(connection, files, mapped.fhir.profiles)
        found = findings(connection, files, unread, kept)
        refused, validated = validate(connection, files, kept, every=every, tell=tell)
        differing, kinds = reconcile(connection, run, mapped.fhir)
        kept.write(run.quarantine / FILE)
    if every and tell:
        tell(_speed(validated))
    types = tuple(_judged(one, found) for one in validated)
    told = Reconciliation(profiles=mapped.fhir.profiles, types=types, kinds=kinds)
    return Examined([*found, *refused, *differing], told)


def _judged(one: Validated, found: Sequence[Finding]) -> JudgedType:
    counted = (f.evaluated for f in found if f.check == "fhir_types_foreign" and f.table == one.type)
    return JudgedType(type=one.type, resources=next(counted, 0) or 0, validated=one.resources, refused=one.wrong)


def _speed(validated: Sequence[Validated]) -> str:
    resources, seconds = sum(one.resources for one in validated), sum(one.seconds for one in validated)
    return f"{resources:,} resources validated, {resources / max(seconds, 1e-6):,.0f} a second"
