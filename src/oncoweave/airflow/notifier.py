"""Tells people what happened to a source. A notice that cannot be sent fails no task and hides no error: it is logged.

As `on_failure_callback`, `on_success_callback`, or the `notifiers` of a task that waits for a person.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from airflow.configuration import conf
from airflow.sdk import BaseHook, BaseNotifier, Context

from oncoweave.airflow.addresses import PREFIX
from oncoweave.spec.notify import Notify, Occasion

LONGEST = 30.0
"""Seconds that sending all of a notice may take."""
CONNECTION = "smtp_default"

log = logging.getLogger(__name__)


class Notifier(BaseNotifier):
    """Sends the notice of one occasion, where `notify:` of source.yaml asks for it."""

    def __init__(self, occasion: Occasion, source: str, notify: Notify | None) -> None:
        super().__init__()
        self.occasion = occasion
        self.source = source
        self.wanted = notify if notify is not None and occasion in notify.on else None

    def __call__(self, *args: Any) -> None:
        """Send the notice; it never raises."""
        self.notify(args[0] if args else {})

    def notify(self, context: Context) -> None:
        """Send the notice; what goes wrong is logged by its kind, for its text may hold an address."""
        if self.wanted is None:
            return
        try:
            self._send(context, self.wanted)
        except Exception as error:
            log.warning("no notice was sent (%s: %s)", self.occasion, type(error).__name__)

    def _send(self, context: Context, notify: Notify) -> None:
        from oncoweave.orchestration.notices import notice_of

        notice = notice_of(self._happened(context))
        ways = dict(_ways(notify, notice))  # settings are read here: a thread may not talk to Airflow
        threads = {name: _started(name, way) for name, way in ways.items()}
        for name, thread in threads.items():
            thread.join(LONGEST)
            if thread.is_alive():
                log.warning("no notice by %s: it took longer than %d seconds", name, LONGEST)

    def _happened(self, context: Context) -> Any:
        from oncoweave.airflow.project import project_here
        from oncoweave.orchestration.notices import Occurrence

        task = context.get("ti") or context.get("task_instance")
        error = context.get("exception")
        run = _run_of(context, self.source)
        return Occurrence(
            occasion=self.occasion,
            source=self.source,
            task=str(getattr(task, "task_id", "")),
            run=run,
            error=error if isinstance(error, BaseException) else None,
            links=_links(task, self.occasion, run),
            project=project_here(),
        )


def mail_server() -> Any:
    """The mail server of Airflow's connection; its extras mean what they mean to Airflow's own mails."""
    from oncoweave.orchestration.sending import MailServer, NotSent

    name = conf.get("email", "email_conn_id", fallback=CONNECTION)
    found = BaseHook.get_connection(name)
    extra = found.extra_dejson
    plain, clear = _is_set(extra.get("disable_ssl")), _is_set(extra.get("disable_tls"))
    sender = extra.get("from_email") or conf.get("email", "from_email", fallback=None) or found.login
    if not found.host or not sender:
        raise NotSent(f"the connection {name} names no host, or no sender (`from_email` in its extras)")
    encryption = "tls" if not plain else "none" if clear else "starttls"
    port = found.port or {"tls": 465, "starttls": 587, "none": 25}[encryption]
    return MailServer(found.host, port, str(sender), found.login or "", found.password or "", encryption)  # type: ignore[arg-type]


def _ways(notify: Notify, notice: Any) -> Iterator[tuple[str, Callable[[], None]]]:
    """How the notice is to be sent; a way without settings is logged and left out."""
    from oncoweave.orchestration.sending import post, send_mail

    if notify.email:
        try:
            server = mail_server()
            yield "mail", lambda: send_mail(server, notify.email, notice)
        except Exception as error:
            log.warning("no notice by mail: the connection %s cannot be used (%s)", CONNECTION, type(error).__name__)
    if notify.webhook:
        address = os.environ.get(notify.webhook, "").strip()
        if address:
            yield "webhook", lambda: post(address, notice)
        else:
            log.warning("no notice to the webhook: the environment variable %s is not set", notify.webhook)


def _started(name: str, way: Callable[[], None]) -> threading.Thread:
    """The way, begun in a thread of its own: a server that answers a byte a minute holds up no task."""

    def go() -> None:
        from oncoweave.orchestration.sending import NotSent

        try:
            way()
            log.info("a notice was sent by %s", name)
        except NotSent as error:
            log.warning("no notice by %s: %s", name, error)
        except Exception as error:
            log.warning("no notice by %s: %s", name, type(error).__name__)

    thread = threading.Thread(target=go, name=f"notice by {name}", daemon=True)
    thread.start()
    return thread


def _run_of(context: Context, source: str) -> Any:
    """The run that the task is about, where that is known."""
    from oncoweave.airflow.project import project_here
    from oncoweave.orchestration.events import run_ids
    from oncoweave.project import RunFolder

    try:
        place = project_here().runs / source
        events = [event for found in (context.get("triggering_asset_events") or {}).values() for event in found]
        asked = (context.get("params") or {}).get("run_id")
        named = ([asked] if asked else run_ids(events)) or [context["ti"].xcom_pull(task_ids="extract")]
        folder = place / str(named[-1])
        return RunFolder(folder) if named[-1] and folder.is_dir() else None
    except Exception as error:
        log.debug("the run of a notice is not known: %s", type(error).__name__)
        return None


def _links(task: Any, occasion: Occasion, run_folder: Any) -> dict[str, str]:
    """Where to read more: the task in Airflow, and the page of the run, once it is written."""
    root = str(conf.get("api", "base_url", fallback="") or "").rstrip("/")
    if not root or task is None:
        return {}
    dag, run, name = (quote(str(part), safe="") for part in (task.dag_id, task.run_id, task.task_id))
    form = "/required_actions" if occasion == "approval" else ""
    pages = {"Release": "release.html"} if occasion == "published" else {"Quality report": "report.html"}
    return {
        "In Airflow": f"{root}/dags/{dag}/runs/{run}/tasks/{name}{form}",
        **{
            title: f"{root}{PREFIX}/of-run/{dag}/{run}/{page}"
            for title, page in pages.items()
            if run_folder is not None and (run_folder.path / page).is_file()
        },
    }


def _is_set(value: object) -> bool:
    return str(value).strip().lower() in ("true", "1", "yes", "on")
