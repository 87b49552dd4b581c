"""Lists, creates, boots, resizes and deletes by linode-cli, and shows its own display of errors.

cli.py URL TOKEN: a line for each part that went well; the first that did not ends it with status 1. The
program that it runs is the one beside this Python.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from urllib.parse import urlparse

PROGRAM = os.path.join(os.path.dirname(sys.executable), "linode-cli")

AGAIN = ("Linode busy.", "Request failed: 500", "Request failed: 503", "Connection aborted")


class Cli:
    def __init__(self, url, token, folder):
        parts = urlparse(url)
        # Nothing of the person who runs it: no settings, no token.
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "XDG_CONFIG_HOME": folder,
            "LINODE_CLI_TOKEN": token,
            "LINODE_CLI_API_SCHEME": parts.scheme,
            "LINODE_CLI_API_HOST": parts.netloc,
            "LINODE_CLI_API_VERSION": "v4",
            "LINODE_CLI_SUPPRESS_VERSION_WARNING": "1",
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }

    def run(self, *words):
        command = [PROGRAM, "--suppress-warnings", "--no-defaults", *words]
        for _ in range(20):
            ended = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120)
            # What a person would type again: the program itself repeats only 408 and 429.
            if not any(text in ended.stderr for text in AGAIN):
                break
            time.sleep(0.05)
        return ended.returncode, ended.stdout, ended.stderr

    def json(self, *words):
        code, out, err = self.run("--json", *words)
        assert code == 0, f"{words}: {code} {out} {err}"
        return json.loads(out) if out.strip() else None

    def until(self, what, look):
        end = time.monotonic() + 120
        while not look():
            assert time.monotonic() < end, f"waited for {what}"


def lists(cli):
    assert len(cli.json("linodes", "types")) == 10
    assert any(region["id"] == "es-mad" for region in cli.json("regions", "list"))
    assert cli.json("images", "list", "--label", "Debian 12")[0]["id"] == "linode/debian12"
    assert cli.json("account", "view")[0]["email"]


def instances(cli):
    made = cli.json(
        *("linodes", "create", "--region", "es-mad", "--type", "g6-nanode-1", "--image", "linode/debian12"),
        *("--root_pass", "correct-horse-battery", "--label", "cli-1", "--tags", "cli", "--booted", "true"),
    )[0]
    number = str(made["id"])
    view = lambda: cli.json("linodes", "view", number)[0]
    cli.until("it to run", lambda: view()["status"] == "running")
    assert [i["id"] for i in cli.json("linodes", "list", "--label", "cli-1")] == [made["id"]]
    assert len(cli.json("linodes", "disks-list", number)) == 2
    cli.json("linodes", "shutdown", number)
    cli.until("it to stop", lambda: view()["status"] == "offline")
    cli.json("linodes", "resize", number, "--type", "g6-standard-1")
    cli.until("the resize", lambda: view()["type"] == "g6-standard-1")
    cli.json("linodes", "boot", number)
    cli.until("it to run", lambda: view()["status"] == "running")
    cli.json("linodes", "delete", number)
    cli.until("it to be gone", lambda: cli.json("linodes", "list", "--label", "cli-1") == [])
    events = cli.json("events", "list")
    assert any(e["action"] == "linode_resize" and e["status"] == "finished" for e in events)


def others(cli):
    domain = cli.json(
        "domains", "create", "--type", "master", "--domain", "cli.example", "--soa_email", "admin@cli.example"
    )[0]
    cli.json("domains", "delete", str(domain["id"]))
    volume = cli.json("volumes", "create", "--label", "cli-data", "--region", "es-mad", "--size", "10")[0]
    assert cli.json("volumes", "view", str(volume["id"]))[0]["size"] == 10
    cli.json("volumes", "delete", str(volume["id"]))
    vpc = cli.json("vpcs", "create", "--label", "cli-vpc", "--region", "es-mad")[0]
    cli.json("vpcs", "subnet-create", str(vpc["id"]), "--label", "one", "--ipv4", "10.8.0.0/24")
    cli.json("vpcs", "delete", str(vpc["id"]))


def errors(cli):
    code, _, err = cli.run("linodes", "create", "--region", "nowhere", "--type", "huge")
    for text in ("Request failed: 400", "region", "region is not valid", "type"):
        assert code != 0 and text in err, err
    code, _, err = cli.run("linodes", "view", "1")
    assert code != 0 and "Request failed: 404" in err and "Not found" in err, err


def main():
    url, token = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        cli = Cli(url, token, folder)
        for part in (lists, instances, others, errors):
            part(cli)
            print("ok", part.__name__, flush=True)


main()
