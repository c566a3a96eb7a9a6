"""`oncoweave verify`: whether a release is what its manifest says."""

from __future__ import annotations

from pathlib import Path

import click

from oncoweave.cli import options


@click.command(
    short_help="Check a release against its manifest.",
    epilog="\b\nExamples:\n  oncoweave verify releases/gbsg/current\n  oncoweave verify /mnt/hub/gbsg --json",
)
@click.argument("release", type=click.Path(path_type=Path))
@options.machine
def verify(release: Path, machine: bool) -> int:
    """Check every file of RELEASE (its folder) against its manifest; exit code 5 when one differs."""
    from oncoweave.cli.output import print_json, shown
    from oncoweave.release.verify import refuse_findings
    from oncoweave.release.verify import verify as findings_of

    findings = findings_of(release)
    if machine:
        print_json({"release": release, "whole": not findings, "findings": findings})
        return 5 if findings else 0
    refuse_findings(release, findings)
    click.echo(f"{shown(release.resolve())} is whole: every file is what its manifest says")
    return 0
