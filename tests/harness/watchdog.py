"""Ends everything that a test started, however the test ends.

The test holds the only write end of the pipe that is this program's standard input. When the test is gone (its
end, a panic, kill -9, Ctrl-C) the pipe closes; then the whole process group printed on standard output is
killed, what regcred's account did in its API server is noted in the folder of records, and the test's own folder
removed (arguments: that folder, that of the records, "remove" or "keep"). A parent-death signal would not do: it follows the thread
that started the process, and test threads end before the test program does.
"""

import json
import os
import shutil
import signal
import sys
import time

# How long killed processes may take to be gone before their folder is removed all the same: in a container
# whose first process collects no orphans they stay as zombies for ever.
GONE_SECONDS = 5
# The objects that rights are limited to by name.
OWN_NAMES = ("regcred", "regcred-authority")
# Whose calls are noted.
ACCOUNT = "system:serviceaccount:regcred-system:regcred"


def anchor(lifeline):
    """Leads the group, so that it exists before its first member and its number is not given to others."""
    os.setpgid(0, 0)
    os.write(1, f"{os.getpid()}\n".encode())
    os.close(0)
    os.close(1)
    # Nobody writes here: the read ends when the watchdog itself was killed, and then the group goes too.
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


def group_is_alive(group):
    try:
        os.killpg(group, 0)
        return True
    except ProcessLookupError:
        return False


def note_calls(folder, records):
    """Writes each kind of call once: what was done to which resource, in which namespace, to which name."""
    calls = set()
    try:
        with open(os.path.join(folder, "audit.log"), encoding="utf-8", errors="replace") as log:
            for line in log:
                if ACCOUNT not in line:
                    continue
                try:
                    event = json.loads(line)
                except ValueError:
                    # The API server was killed while it wrote the last line.
                    continue
                if event.get("user", {}).get("username") != ACCOUNT:
                    continue
                thing = event.get("objectRef", {})
                resource = "/".join(filter(None, (thing.get("resource"), thing.get("subresource"))))
                # Only of our own objects does a right depend on the name.
                name = thing.get("name", "") if thing.get("name") in OWN_NAMES else ""
                # All other namespaces are alike.
                namespace = thing.get("namespace", "")
                namespace = namespace if namespace in ("", "regcred-system") else "*"
                calls.add((thing.get("apiGroup", ""), resource, event.get("verb", ""), namespace, name))
    except OSError:
        return
    os.makedirs(records, exist_ok=True)
    path = os.path.join(records, os.path.basename(folder))
    with open(path + ".unfinished", "w", encoding="utf-8") as record:
        for call in sorted(calls):
            record.write(json.dumps(call) + "\n")
    os.rename(path + ".unfinished", path + ".calls")


def main():
    # A terminal's Ctrl-C does not reach this group; whoever sends a signal by hand wants the test to end.
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
        signal.signal(name, signal.SIG_IGN)
    lifeline, held = os.pipe()
    group = os.fork()
    if group == 0:
        os.close(held)
        anchor(lifeline)
    os.close(lifeline)
    while os.read(0, 4096):
        pass
    os.killpg(group, signal.SIGKILL)
    os.waitpid(group, 0)
    deadline = time.monotonic() + GONE_SECONDS
    while group_is_alive(group) and time.monotonic() < deadline:
        time.sleep(0.02)
    folder, records, then = sys.argv[1:]
    note_calls(folder, records)
    if then == "remove":
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
