"""Another user takes the place of a daemon's socket: clients refuse to talk to it.

A client without root first looks in a directory that anybody can make. It must neither take one
that is another user's, nor a socket in its own where another user listens.
"""

import os
import pathlib
import re
import subprocess
import sys

from harness import sandbox
from harness.cluster import program, wait_until

CLIENT, SQUATTER = 65534, 65533
DIRECTORY = f"/tmp/phalanx-{CLIENT}/default"

# Says what it heard: a client that trusts it sends its request at once.
LISTEN = f"""
import os, select, socket, sys
user = int(sys.argv[1])
os.setgroups([])
os.setgid(user)
os.setuid(user)
os.makedirs({DIRECTORY!r}, exist_ok=True)
listeners = []
for name, kind in (("phalanx.sock", socket.SOCK_STREAM), ("admin.sock", socket.SOCK_STREAM),
                   ("watch.sock", socket.SOCK_SEQPACKET)):
    listener = socket.socket(socket.AF_UNIX, kind)
    listener.bind({DIRECTORY!r} + "/" + name)
    os.chmod({DIRECTORY!r} + "/" + name, 0o666)
    listener.listen(4)
    listeners.append(listener)
print("listening", flush=True)
while True:
    client, _ = select.select(listeners, [], [])[0][0].accept()
    client.settimeout(5)
    try:
        print("heard", len(client.recv(4096)), flush=True)
    except OSError:
        print("heard nothing", flush=True)
    client.close()
"""


class Squatter:
    def __init__(self, user):
        self.output = f"/run/squatter-{user}.out"
        with open(self.output, "wb") as out:
            self.process = subprocess.Popen([sys.executable, "-c", LISTEN, str(user)],
                                            stdout=out)
        wait_until("it listens", lambda: "listening" in self.said())

    def said(self):
        with open(self.output, encoding="utf-8") as output:
            return output.read()

    def end(self):
        self.process.kill()
        self.process.wait()
        subprocess.run(["rm", "-rf", os.path.dirname(DIRECTORY)], check=True)


def fresh_tmp():
    """The build folder, which may be in /tmp, is seen at another place from now on."""
    build = pathlib.Path(program("phalanx")).parents[2]
    os.mkdir("/run/build")
    subprocess.run(["mount", "--bind", str(build), "/run/build"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/tmp"], check=True)
    return pathlib.Path("/run/build") / pathlib.Path(program("phalanx")).relative_to(build)


def client(phalanx, *words):
    environment = {"PATH": os.environ["PATH"], "ASAN_OPTIONS": "detect_leaks=0"}
    return subprocess.run([phalanx, *words],
                          input="secret\n", capture_output=True, text=True, timeout=30,
                          check=False, env=environment, user=CLIENT, group=CLIENT,
                          extra_groups=[])


def test():
    phalanx = fresh_tmp()

    # The directory is the squatter's.
    refused(phalanx)

    # The directory is the client's own, but somebody else listens in it.
    os.makedirs(DIRECTORY)
    os.chown(os.path.dirname(DIRECTORY), CLIENT, CLIENT)
    os.chown(DIRECTORY, CLIENT, CLIENT)
    os.chmod(DIRECTORY, 0o777)
    refused(phalanx)

    # The client's own user is asked: what was refused is who listened.
    squatter = Squatter(CLIENT)
    client(phalanx, "pub", "words")
    wait_until("it was asked", lambda: "heard 128" in squatter.said())
    squatter.end()


def refused(phalanx):
    squatter = Squatter(SQUATTER)
    for words in (["pub", "words"], ["sub", "words"], ["status"]):
        done = client(phalanx, *words)
        assert done.returncode == 5, f"{words}: {done.returncode}: {done.stderr}"
        assert "another user than root" in done.stderr or words != ["status"], done.stderr
    wait_until("it saw them hang up", lambda: squatter.said().count("heard") >= 3)
    assert "heard 0" in squatter.said(), squatter.said()
    assert not re.search("heard [1-9]", squatter.said()), f"told: {squatter.said()}"
    squatter.end()


sandbox.run(test)
