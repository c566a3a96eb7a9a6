"""The facets of lineage events: datasets, runs and jobs in the words of OpenLineage."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version

from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    DatasetFacet,
    InputDatasetFacet,
    JobFacet,
    OutputDatasetFacet,
    RunFacet,
    column_lineage_dataset,
    data_quality_assertions_dataset,
    dataset_version_dataset,
    error_message_run,
    input_statistics_input_dataset,
    job_type_job,
    output_statistics_output_dataset,
    parent_run,
    processing_engine_run,
    schema_dataset,
)

from oncoweave.errors import OncoweaveError
from oncoweave.lineage.columns import Origin, TableLineage
from oncoweave.lineage.datasets import Dataset
from oncoweave.records import ExpectationResult

_FILTER = ("INDIRECT", "FILTER")


def of_run(parent: tuple[str, str, str] | None, fault: Exception | None) -> dict[str, RunFacet]:
    """The engine, what started the run, and why it failed: a message of ours holds no value, one of a library might."""
    found: dict[str, RunFacet] = {
        "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
            version=version("oncoweave"), name="oncoweave"
        )
    }
    if parent is not None:
        space, job, run_id = parent
        found["parent"] = parent_run.ParentRunFacet(
            run=parent_run.Run(runId=run_id), job=parent_run.Job(namespace=space, name=job)
        )
    if fault is not None:
        message = fault.message if isinstance(fault, OncoweaveError) else type(fault).__name__
        found["errorMessage"] = error_message_run.ErrorMessageRunFacet(message=message, programmingLanguage="python")
    return found


def of_job() -> dict[str, JobFacet]:
    """A job of ours: a batch."""
    return {"jobType": job_type_job.JobTypeJobFacet(processingType="BATCH", integration="ONCOWEAVE", jobType="STAGE")}


def as_input(dataset: Dataset, namespace: str) -> InputDataset:
    """A dataset that was read, with what its checks found."""
    facets: dict[str, InputDatasetFacet] = {
        "inputStatistics": input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
            rowCount=dataset.rows, size=dataset.bytes
        )
    }
    if dataset.checked:
        facets["dataQualityAssertions"] = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
            assertions=[_assertion(result) for result in dataset.checked]
        )
    return InputDataset(namespace=namespace, name=dataset.name, facets=_about(dataset, namespace), inputFacets=facets)


def as_output(dataset: Dataset, namespace: str) -> OutputDataset:
    """A dataset that was written."""
    facets: dict[str, OutputDatasetFacet] = {
        "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=dataset.rows, size=dataset.bytes
        )
    }
    return OutputDataset(namespace=namespace, name=dataset.name, facets=_about(dataset, namespace), outputFacets=facets)


def _about(dataset: Dataset, namespace: str) -> dict[str, DatasetFacet]:
    found: dict[str, DatasetFacet] = {}
    if dataset.version:
        found["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=dataset.version)
    if dataset.fields:
        fields = [schema_dataset.SchemaDatasetFacetFields(name=name, type=kind) for name, kind in dataset.fields]
        found["schema"] = schema_dataset.SchemaDatasetFacet(fields=fields)
    if dataset.lineage is not None:
        found["columnLineage"] = _column_lineage(dataset, dataset.lineage, namespace)
    return found


def _column_lineage(
    dataset: Dataset, lineage: TableLineage, namespace: str
) -> column_lineage_dataset.ColumnLineageDatasetFacet:
    fields = {
        made.field: column_lineage_dataset.Fields(inputFields=_inputs(dataset, made.origins, namespace))
        for made in lineage.fields
    }
    chosen = _inputs(dataset, lineage.chosen_by, namespace, _FILTER)
    return column_lineage_dataset.ColumnLineageDatasetFacet(fields=fields, dataset=chosen)


def _inputs(
    dataset: Dataset, origins: Iterable[Origin], namespace: str, kind: tuple[str, str] | None = None
) -> list[column_lineage_dataset.InputField]:
    found = []
    for origin in origins:
        what, how = kind or ("DIRECT", "IDENTITY" if origin.how == "identity" else "TRANSFORMATION")
        step = column_lineage_dataset.Transformation(type=what, subtype=how, masking=origin.how == "key")
        found.append(
            column_lineage_dataset.InputField(
                namespace=namespace, name=dataset.origin(origin), field=origin.field, transformations=[step]
            )
        )
    return found


def _assertion(result: ExpectationResult) -> data_quality_assertions_dataset.Assertion:
    return data_quality_assertions_dataset.Assertion(
        assertion=result.expectation, success=result.success, column=result.column, severity=result.severity
    )
