"""A notice tells what happened in counts and places, and reaches a mail server and a webhook, or says why it did not."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, get_args

import pytest

from oncoweave.errors import DataError, EnvironmentFault, OncoweaveError, Problem, SourceUnreachable, SpecError
from oncoweave.orchestration import sending
from oncoweave.orchestration.notices import Notice, Occurrence, notice_of
from oncoweave.orchestration.sending import MailServer, NotSent, mail_of, post, send_mail
from oncoweave.project import Project, RunFolder
from oncoweave.run import run
from oncoweave.spec.notify import Occasion

CANARY = "Zyxomme-Quagga-1899"
NOTICE = Notice(
    "failure",
    "one",
    "one: task map failed",
    {"What": "x", "Persons": 1234},
    ("a.yaml:1:2 [c]",),
    {"In Airflow": "http://a/b"},
)


def failure(error: BaseException | None) -> Notice:
    return notice_of(Occurrence("failure", "one", "map", None, error, {"In Airflow": "http://a/b", "Nowhere": ""}))


def raised(error: OncoweaveError) -> BaseException:
    """The error as Airflow sees it: raised again as another, without its cause."""
    try:
        try:
            raise error
        except OncoweaveError:
            raise RuntimeError(CANARY) from None
    except RuntimeError as seen:
        return seen


PROBLEM = Problem("mappings/sources/one/source.yaml", 7, 3, "unknown-key", f"`{CANARY}`", CANARY, CANARY)


@pytest.mark.parametrize(
    ("error", "what", "places"),
    [
        (SpecError(CANARY, problems=[PROBLEM], mend=CANARY), "a specification is wrong (SpecError)", ("mappings/sources/one/source.yaml:7:3 [unknown-key]",)),
        (DataError(CANARY), "the data did not pass (DataError)", ()),
        (SourceUnreachable(CANARY), "the source could not be reached (SourceUnreachable)", ()),
        (EnvironmentFault(CANARY), "disk, permission, a lock, or a file that is not what was written (EnvironmentFault)", ()),
        (OncoweaveError(CANARY), "a fault in Oncoweave (OncoweaveError)", ()),
    ],
)  # fmt: skip
def test_a_failure_is_told_by_kind_and_place(error: OncoweaveError, what: str, places: tuple[str, ...]) -> None:
    for seen in (error, raised(error)):
        notice = failure(seen)
        assert (notice.subject, notice.facts["What"], notice.places) == ("one: task map failed", what, places)
        assert notice.links == {"In Airflow": "http://a/b"}
        assert CANARY not in json.dumps(notice.tree)


def test_an_error_of_python_is_told_by_its_kind_alone() -> None:
    assert failure(KeyError(CANARY)).facts == {"What": "KeyError"}
    assert failure(None).facts == {"What": "the process ended without a word"}


def test_many_faults_are_cut() -> None:
    notice = failure(SpecError("x", problems=[PROBLEM.at("f", line, 1) for line in range(1, 51)]))
    assert len(notice.places) == 21 and notice.places[-1] == "and 30 more"


def test_a_subject_is_one_line() -> None:
    notice = notice_of(Occurrence("approval", "one\r\nBcc: x@y.example"))
    assert notice.subject == "one Bcc: x@y.example: a run waits for your approval"


@pytest.fixture
def project_with_canary(tiny_project: Project) -> tuple[Project, RunFolder]:
    """A run over a delivery in which a person's fields hold the canary."""
    delivery = next((tiny_project.root / "deliveries").iterdir())
    for path in delivery.iterdir():
        lines = path.read_text(encoding="utf-8").splitlines()
        last = lines[-1].split(";")
        path.write_text("\n".join([*lines, ";".join([CANARY] * len(last))]) + "\n", encoding="utf-8")
    done = run(tiny_project, "tiny")
    return tiny_project, RunFolder(tiny_project.runs / "tiny" / done.run_id)


def test_no_value_of_the_data_is_in_a_notice(project_with_canary: tuple[Project, RunFolder]) -> None:
    _, folder = project_with_canary
    for occasion in get_args(Occasion):
        notice = notice_of(Occurrence(occasion, "tiny", "check", folder, ValueError(CANARY)))
        assert notice.facts["Run"] == folder.run_id and notice.facts["Verdict"] == "pass"
        assert isinstance(notice.facts["Persons"], int) and notice.facts["Rule rows quarantined"] != 0
        assert CANARY not in json.dumps(notice.tree) + notice.text


def test_a_run_that_has_not_come_far_is_told_as_far_as_it_came(tmp_path: Path) -> None:
    assert notice_of(Occurrence("failure", "one", "map", RunFolder(tmp_path / "one" / "r1"))).facts["Run"] == "r1"


# the mail server


class Mailbox(socketserver.ThreadingTCPServer):
    """A mail server that keeps what it gets; `broken` makes it answer 550, `slow` makes it answer nothing."""

    allow_reuse_address = daemon_threads = True
    broken = slow = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), MailSession)
        self.mails: list[tuple[list[str], bytes]] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what some tests are about."""

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class MailSession(socketserver.StreamRequestHandler):
    server: Mailbox

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def handle(self) -> None:
        if self.server.slow:
            time.sleep(3)
            return
        self.say("220 here")
        to: list[str] = []
        while line := self.rfile.readline().decode("latin-1").strip():
            verb = line.upper().split(":")[0].split()[0]
            if verb == "DATA":
                self.say("354 go on")
                lines = list(iter(self.rfile.readline, b".\r\n"))
                self.server.mails.append((to, b"".join(lines)))
            if verb == "RCPT":
                to.append(line)
            self.say("221 bye" if verb == "QUIT" else "550 no" if self.server.broken and verb == "RCPT" else "250 ok")
            if verb == "QUIT":
                return


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    server = Mailbox()
    with serving(server):
        yield server


def here(mailbox: Mailbox, **more: Any) -> MailServer:
    return MailServer("127.0.0.1", mailbox.port, "oncoweave@registry.example", encryption="none", **more)


def test_a_mail_arrives(mailbox: Mailbox) -> None:
    send_mail(here(mailbox), ["qa@registry.example", "steward@registry.example"], NOTICE)
    ((to, content),) = mailbox.mails
    mail = message_from_bytes(content, policy=default)
    assert [line.upper() for line in to] == ["RCPT TO:<QA@REGISTRY.EXAMPLE>", "RCPT TO:<STEWARD@REGISTRY.EXAMPLE>"]
    assert (mail["Subject"], mail["From"]) == ("one: task map failed", "oncoweave@registry.example")
    body = mail.get_content().replace("\r\n", "\n")
    assert body == NOTICE.text and "Persons: 1,234" in body and "In Airflow: http://a/b" in body


@pytest.mark.parametrize(
    ("sender", "to", "subject"),
    [
        ("a@b.example\nBcc: x@y.example", "q@r.example", "s"),
        ("a@b.example", "q@r.example\r\nBcc: x@y.example", "s"),
        ("a@b.example", "q@r.example", "s\nBcc: x@y.example"),
    ],
)
def test_no_further_header_can_be_smuggled_in(sender: str, to: str, subject: str, mailbox: Mailbox) -> None:
    notice = Notice("failure", "one", subject, {}, (), {})
    with pytest.raises(ValueError, match=r"newline|linefeed|header|address|parse"):
        mail_of(sender, [to], notice)
    with pytest.raises(NotSent):
        send_mail(MailServer("127.0.0.1", mailbox.port, sender, encryption="none"), [to], notice)
    assert mailbox.mails == []


def refusing(mailbox: Mailbox) -> MailServer:
    mailbox.broken = True
    return here(mailbox)


def answering_nothing(mailbox: Mailbox) -> MailServer:
    mailbox.slow = True
    return here(mailbox)


BAD_SERVERS: list[tuple[Callable[[Mailbox], MailServer], str]] = [
    (refusing, "SMTPRecipientsRefused"),
    (answering_nothing, "SMTPServerDisconnected"),
    (lambda mailbox: MailServer("127.0.0.1", 1, "a@b.example", encryption="none"), "ConnectionRefusedError"),
    (lambda mailbox: MailServer("127.0.0.1", mailbox.port, "a@b.example", encryption="starttls"), "SMTPNotSupported"),
    (lambda mailbox: MailServer("127.0.0.1", mailbox.port, "a@b.example", encryption="tls"), "SSL|Timeout|OSError"),
    (lambda mailbox: here(mailbox, user="u", password="secret"), "SMTPNotSupported"),
]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # smtplib's socket, when TLS fails
@pytest.mark.parametrize(("bad", "why"), BAD_SERVERS)
def test_a_mail_that_is_not_taken_is_told_without_the_password(
    bad: Callable[[Mailbox], MailServer], why: str, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "TIMEOUT", 1.0)
    begun = time.monotonic()
    with pytest.raises(NotSent, match=why) as told:
        send_mail(bad(mailbox), ["q@r.example"], NOTICE)
    assert "secret" not in str(told.value) and time.monotonic() - begun < 5


def test_a_password_does_not_cross_a_network_in_clear(monkeypatch: pytest.MonkeyPatch, mailbox: Mailbox) -> None:
    monkeypatch.setattr(sending, "_is_here", lambda host: False)
    with pytest.raises(NotSent, match="in clear"):
        send_mail(here(mailbox, user="u", password="secret"), ["q@r.example"], NOTICE)


# the webhook


class Hook(BaseHTTPRequestHandler):
    """Keeps what it gets; /moved sends elsewhere, /broken answers 500, /slow answers nothing for long."""

    got: list[tuple[str, dict[str, Any]]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((self.path, json.loads(body)))
        if self.path == "/slow":
            time.sleep(3)
        self.send_response({"/moved": 307, "/broken": 500}.get(self.path, 200))
        if self.path == "/moved":
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@pytest.fixture
def hook() -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    got: list[tuple[str, dict[str, Any]]] = []
    server = HTTPServer(("127.0.0.1", 0), type("KeepingHook", (Hook,), {"got": got}))
    with serving(server):
        yield f"http://127.0.0.1:{server.server_address[1]}", got


def test_a_webhook_gets_the_notice(hook: tuple[str, list[tuple[str, dict[str, Any]]]]) -> None:
    address, got = hook
    post(f"{address}/token", NOTICE)
    ((path, tree),) = got
    assert path == "/token" and tree == NOTICE.tree and tree["text"] == NOTICE.text


@pytest.mark.parametrize(
    ("path", "why"), [("/moved", "answered 307"), ("/broken", "answered 500"), ("/slow", "TimeoutError")]
)
def test_a_webhook_that_does_not_take_it_is_told(
    path: str, why: str, hook: tuple[str, list[tuple[str, dict[str, Any]]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "TIMEOUT", 1.0)
    address, got = hook
    with pytest.raises(NotSent, match=why) as told:
        post(f"{address}{path}", NOTICE)
    assert "127.0.0.1" not in str(told.value) and [seen for seen, _ in got] == [path]


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://a/b", "http://", "", "http://127.0.0.1:1/x", "http://[bad"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(NotSent) as told:
        post(address, NOTICE)
    assert "passwd" not in str(told.value)
