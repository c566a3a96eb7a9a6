"""One Bundle a patient, put together from the files of a run or a release: for handing over, and for readers that take no NDJSON.

The files of each type are sorted by patient, so that one pass over all of them side by side finds what belongs to each: whatever
their size, the resources of one patient are held at a time. They are taken as they are, text by text.
"""

from __future__ import annotations

import heapq
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from oncoweave.errors import EnvironmentFault
from oncoweave.fhir.mcode_profiles import MCODE
from oncoweave.fhir.resource_text import ID, Resource, compact

OF_NOBODY = ("ConceptMap", "Provenance")
"""Types that are about no patient; of the Provenance, each Bundle has one of its own."""
MCODE_PATIENT, MCODE_BUNDLE = f"{MCODE}cancer-patient", f"{MCODE}patient-bundle"
_ID = re.compile(rf'"id":"({ID})"'.encode())
_PATIENT = re.compile(rb'"(?:subject|patient)":\{"reference":"Patient/([0-9]{1,19})"')


@dataclass(frozen=True, order=True)
class _Line:
    """A resource: of which patient, whether it is the Patient itself (0, first) or not, its type, its id, its text."""

    patient: int
    rank: int
    type: str
    id: str
    text: bytes


@dataclass(frozen=True)
class PatientBundle:
    """The Bundle of one patient, as text, and how many resources it holds."""

    patient: int
    text: bytes
    resources: int


@dataclass(frozen=True)
class Resources:
    """The files of resources by type, in their order, and where the resources are said to lie: the start of each `fullUrl`."""

    files: Mapping[str, Sequence[Path]]
    address: str
    moment: str

    def bundles(self) -> Iterator[PatientBundle]:
        """The Bundles, by patient. Raises EnvironmentFault for files that are not as Oncoweave writes them."""
        provenance = self._provenance()
        streams = [_lines(t, paths) for t, paths in sorted(self.files.items()) if t not in OF_NOBODY]
        for patient, lines in groupby(heapq.merge(*streams), key=lambda line: line.patient):
            yield self._bundle(patient, list(lines), provenance)

    def _bundle(self, patient: int, lines: Sequence[_Line], provenance: Resource | None) -> PatientBundle:
        patients = [line for line in lines if line.type == "Patient"]
        if len(patients) != 1:
            raise EnvironmentFault(f"a patient has {len(patients)} Patient resources", mend=_MEND)
        entries = [(f"{line.type}/{line.id}", line.text) for line in lines]
        if provenance:
            entries.append(_provenance_of(provenance, patient, entries))
        address = self.address.rstrip("/")
        listed = [
            b'{"fullUrl":%s,"resource":%s}' % (json.dumps(f"{address}/{n}").encode(), text) for n, text in entries
        ]
        head: Resource = {"resourceType": "Bundle", "id": str(patient)}
        if _is_of(patients[0].text, MCODE_PATIENT):
            head["meta"] = {"profile": [MCODE_BUNDLE]}
        head |= {"type": "collection", "timestamp": self.moment}
        text = compact(head)[:-1].encode() + b',"entry":[' + b",".join(listed) + b"]}\n"
        return PatientBundle(patient, text, len(entries))

    def _provenance(self) -> Resource | None:
        """The first Provenance of the run: all of them say the same, of other patients."""
        for path in self.files.get("Provenance", ())[:1]:
            with path.open("rb") as file:
                found: Resource = json.loads(file.readline())
                return found
        return None


_MEND = "the files are not as map wrote them: map or publish again"


def _lines(type_: str, paths: Iterable[Path]) -> Iterator[_Line]:
    """The resources of a type, in the order of their patients."""
    before = -1
    for path in paths:
        with path.open("rb") as file:
            for text in file:
                line = _read(type_, text.rstrip(b"\n"), path)
                if line.patient < before:
                    raise EnvironmentFault(f"{path} is not sorted by patient", mend=_MEND)
                before = line.patient
                yield line


def _read(type_: str, text: bytes, path: Path) -> _Line:
    id_ = _ID.search(text)
    patient = id_ if type_ == "Patient" else _PATIENT.search(text)
    if id_ is None or patient is None or not patient[1].isdigit():
        raise EnvironmentFault(f"{path} has a resource without an id or a patient", mend=_MEND)
    return _Line(int(patient[1]), int(type_ != "Patient"), type_, id_[1].decode(), text)


def _provenance_of(provenance: Resource, patient: int, entries: Sequence[tuple[str, bytes]]) -> tuple[str, bytes]:
    """The run's Provenance for one Bundle: of all that is in it, and without what is not in it."""
    used = [one for one in provenance.get("entity", ()) if "reference" not in one["what"]]
    target = [{"reference": name} for name, _ in entries]
    id_ = f"{provenance['id']}-{patient}"
    return f"Provenance/{id_}", compact(provenance | {"id": id_, "target": target, "entity": used}).encode()


def _is_of(text: bytes, profile: str) -> bool:
    """Whether a resource says that it is of a profile."""
    stated = json.loads(text).get("meta", {}).get("profile", ())
    return any(str(one).partition("|")[0] == profile for one in stated)
