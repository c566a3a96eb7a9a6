"""`python -m bench.pipelines --sources 200`: what the DAG processor spends on a project of so many sources, in CPU seconds.

The sources are copies of the standard ones. A process of its own imports the DAG file, as the DAG processor's does, and makes of
each DAG what is stored of it; and, as a worker does, the file for one DAG. What `import airflow.sdk` takes is told apart.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from oncoweave import content

ROOT = Path(__file__).resolve().parent.parent
CHILD = """
import json, runpy, sys, time
clock = time.process_time
started = clock()
import airflow.sdk
sdk = clock() - started
started = clock()
made = runpy.run_path(sys.argv[1])
parsed = clock() - started
dags = [dag for name, dag in made.items() if "__" in name and not name.startswith("__")]
import airflow.serialization.serialized_objects as stored
started = clock()
for dag in dags:
    stored.DagSerialization.to_dict(dag)
print(json.dumps({"sdk": sdk, "parse": parsed, "serialise": clock() - started, "dags": len(dags)}))
"""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.pipelines", description=__doc__)
    parser.add_argument("--sources", type=int, default=200, help="number of sources")
    wanted = parser.parse_args().sources
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        names = make_sources(project, wanted)
        whole = measured(project)
        one = measured(project, f"harmonise__{names[-1]}")
    print(f"{wanted} sources, {whole['dags']} DAGs, CPU seconds")
    print(f"  import airflow.sdk          {whole['sdk']:6.2f}")
    print(f"  parse the DAG file          {whole['parse']:6.2f}   beyond airflow.sdk, all sources")
    print(f"  make what is stored         {whole['serialise']:6.2f}")
    print(f"  parse for one DAG           {one['parse']:6.2f}   as a worker does")
    return 0


def make_sources(project: Path, count: int) -> list[str]:
    """That many sources: copies of the standard ones, in turn."""
    originals = sorted(path.parent for path in content.demo_sources().glob("*/source.yaml"))
    names = [f"source_{number:04}" for number in range(count)]
    for number, name in enumerate(names):
        original = originals[number % len(originals)]
        folder = project / "mappings" / "sources" / name
        folder.mkdir(parents=True)
        for file in original.glob("*.yaml"):
            text = file.read_text(encoding="utf-8").replace(f"source: {original.name}", f"source: {name}")
            (folder / file.name).write_text(text, encoding="utf-8")
    return names


def measured(project: Path, dag_id: str = "") -> dict[str, float]:
    """What a process of its own spends on the DAG file, for all DAGs or for one."""
    settings = {
        "AIRFLOW_HOME": str(project / "airflow"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "ONCOWEAVE_PROJECT": str(project),
        "PYTHONPATH": str(ROOT / "src"),
        **({"_AIRFLOW_PARSING_CONTEXT_DAG_ID": dag_id} if dag_id else {}),
    }
    command = [sys.executable, "-c", CHILD, str(content.standard() / "dags" / "harmonise.py")]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    sys.exit(main())
