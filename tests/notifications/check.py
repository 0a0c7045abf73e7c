"""Checks notifications of sgsend: see tests/notifications.sh."""

import json
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from aiosmtpd.controller import Controller
from standardwebhooks import Webhook

ROOT, SGSEND = Path(sys.argv[1]), os.environ["SGSEND_BIN"]
KEY = "a key for the secrets of webhooks in tests"


class Receiver(BaseHTTPRequestHandler):
    """Listener that keeps what is posted."""

    received = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.received.append((self.path, dict(self.headers), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Mailbox:
    """Mail server that rejects one recipient."""

    def __init__(self):
        self.messages, self.rejected = [], 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("unknown@"):
            self.rejected += 1
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.messages.append((session.ssl is not None, envelope))
        return "250 OK"


def wait(condition, what):
    end = time.monotonic() + 40
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"notifications.sh: {what} did not happen")
        time.sleep(0.05)


class Service:
    """`sgsend serve all` with a home directory of its own."""

    def __init__(self, work, options):
        self.home = Path(tempfile.mkdtemp(dir=work))
        self.environment = {"HOME": str(self.home), "PATH": os.environ["PATH"], "SGSEND_MIN_FREE": "0"}
        arguments = ["serve", "all", "--json", "--storage", "memory:", "--listen", "127.0.0.1:0",
                     "--admin-listen", "127.0.0.1:0", *options]
        self.log = (self.home / "log").open("w+")
        self.process = subprocess.Popen([SGSEND, *arguments], env=self.environment, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True)
        urls = {}
        for _ in range(2):
            line = json.loads(self.process.stdout.readline())
            urls[line["service"]] = line["url"]
        self.environment |= {"SGSEND_SERVER": urls["public"], "SGSEND_ADMIN_SERVER": urls["admin"]}
        (self.home / "a.txt").write_text("content")

    def run(self, *arguments):
        command = subprocess.run([SGSEND, *arguments], env=self.environment, capture_output=True, text=True)
        if command.returncode:
            sys.exit(f"notifications.sh: {arguments} failed: {command.stderr}")
        return command

    def upload(self, *options):
        return self.run("upload", str(self.home / "a.txt"), *options).stdout.strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def check_webhooks(work, url):
    key = work / "key"
    key.write_text(KEY)
    with Service(work, ["--webhook-key-file", str(key), "--webhook-allow-private"]) as service:
        created = service.run("token", "create", "x", "--login", "--webhook", url + "/hook", "--notify", "every")
        secret = re.search(r"whsec_\S+", created.stderr).group(0)
        link = service.upload("--downloads", "2")
        service.run("download", link, "-o", str(service.home / "b.txt"))
        wait(lambda: len(Receiver.received) >= 3, "the delivery of three notifications")
        kinds = []
        for path, headers, body in Receiver.received:
            assert path == "/hook", path
            kinds.append(Webhook(secret).verify(body, headers)["kind"])
            for damaged in (body + b" ", body.replace(b"transfer", b"transfes", 1)):
                try:
                    Webhook(secret).verify(damaged, headers)
                except Exception:
                    continue
                sys.exit("notifications.sh: a damaged notification is accepted")
        assert kinds == ["transfer.completed", "transfer.first_download", "transfer.downloaded"], kinds


def check_mail(work, certificate, implicit):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    mailbox = Mailbox()
    if implicit:
        server = Controller(mailbox, hostname="127.0.0.1", port=0, ssl_context=context)
        scheme = "smtps"
    else:
        server = Controller(mailbox, hostname="127.0.0.1", port=0, tls_context=context, require_starttls=True)
        scheme = "smtp"
    # Port 0 selects a free port. The controller would check port 0 itself, by TLS with the context of a server.
    listening = lambda: server.server.sockets[0].getsockname()
    server._trigger_server = lambda: socket.create_connection(listening(), 5).close()
    server.start()
    port = listening()[1]
    url = work / "smtp-url"
    url.write_text(f"{scheme}://localhost:{port}?from=sgsend@example.org\n")
    try:
        with Service(work, ["--smtp-url-file", str(url), "--ca-file", certificate[0]]) as service:
            created = service.run("token", "create", "x", "--login", "--email", "press@example.org")
            token_id = created.stdout.split("_")[1]
            shown = service.upload("--transparency", "--json")
            assert "press@example.org" in shown, "the address is not disclosed: " + shown
            wait(lambda: mailbox.messages, "the delivery of an e-mail")
            encrypted, envelope = mailbox.messages[0]
            text = envelope.content.decode()
            assert encrypted or implicit
            assert (envelope.mail_from, envelope.rcpt_tos) == ("sgsend@example.org", ["press@example.org"]), envelope
            assert "The upload finished." in text and json.loads(shown)["transfer_id"] in text, text
            assert "a.txt" not in text, text
            service.run("token", "update", token_id, "--email", "unknown@example.org")
            service.upload()
            wait(lambda: mailbox.rejected, "the rejection of a recipient")
            time.sleep(8)
            assert mailbox.rejected == 1, f"a rejected recipient was tried {mailbox.rejected} times"
            stats = json.loads(service.run("stats", "--json").stdout)
            assert stats["failing_targets"][0]["reason"] == "rejected", stats
            service.run("token", "update", token_id, "--email", "press@example.org")
            service.upload()
            wait(lambda: len(mailbox.messages) == 2, "the delivery to a corrected address")
        with Service(work, ["--smtp-url-file", str(url)]) as service:
            service.run("token", "create", "x", "--login", "--email", "press@example.org")
            service.upload()
            failing = lambda: json.loads(service.run("stats", "--json").stdout).get("failing_targets")
            wait(failing, "the refusal of an unknown certificate")
            assert len(mailbox.messages) == 2, "a message went to a server without a trusted certificate"
    finally:
        server.stop()


def check_examples(work, url):
    text = (ROOT / "docs/notifications.md").read_text()
    commands = re.findall(r"^sgsend watch --exec '(.*)'$", text, re.MULTILINE)
    assert len(commands) == 3, commands
    tools = work / "tools"
    tools.mkdir()
    (tools / "notify-send").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>{work}/desktop\n')
    (tools / "notify-send").chmod(0o755)
    with Service(work, []) as service:
        service.run("token", "create", "x", "--login")
        environment = service.environment | {
            "NTFY_URL": url + "/topic", "SLACK_URL": url + "/services/x", "PATH": f"{tools}:{os.environ['PATH']}"}
        watching = [subprocess.Popen([SGSEND, "watch", "--exec", command], env=environment, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.PIPE, text=True) for command in commands]
        try:
            for process in watching:
                assert "waiting" in process.stderr.readline()
            Receiver.received.clear()
            service.upload()
            wait(lambda: len(Receiver.received) == 2 and (work / "desktop").exists(), "the end of the examples")
        finally:
            for process in watching:
                process.kill()
        posted = {path: (headers, body) for path, headers, body in Receiver.received}
        assert posted["/topic"][1] == b"The upload finished.", posted
        assert {name.lower(): value for name, value in posted["/topic"][0].items()}["title"] == "sgsend"
        assert json.loads(posted["/services/x"][1]) == {"text": "The upload finished."}, posted
        wait(lambda: (work / "desktop").read_text() == "sgsend\nThe upload finished.\n", "the desktop notification")


def main():
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        listener = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{listener.server_port}"
        print("== Webhooks, verified by standardwebhooks", flush=True)
        check_webhooks(work, url)
        certificate = (str(work / "cert.pem"), str(work / "key.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                        "-addext", "basicConstraints=critical,CA:FALSE", "-days", "2",
                        "-out", certificate[0], "-keyout", certificate[1]], check=True, capture_output=True)
        for implicit in (True, False):
            print(f"== E-mail by {'TLS' if implicit else 'STARTTLS'}, and a rejected recipient", flush=True)
            check_mail(work, certificate, implicit)
        print("== Examples of docs/notifications.md", flush=True)
        check_examples(work, url)
        print("== Notifications are right")


main()
