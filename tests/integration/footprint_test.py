"""What a node leaves on its file systems, seen with strace and afterwards on disk.

Nothing is created in a directory that anybody may write to, nothing is created through a link, no
name is taken outside of the node's own directories, nobody else may read or write what is there.
"""

import os
import pathlib
import re
import shutil
import stat
import sys

from harness import sandbox
from harness.cluster import SLOW, Cluster, program, transport

CALLS = "open,openat,creat,mkdir,mkdirat,symlink,symlinkat,link,linkat,mknod,mknodat,bind"
SHARED = ("/tmp", "/dev/shm", "/var/tmp", "/dev/mqueue", "/dev/hugepages")
# Of the kernel's own trees: nothing there is ours to make.
NOT_FILES = ("/proc/", "/sys/", "/dev/")


def traced(name, cluster):
    """A program of that name, which runs the real one and its children under strace."""
    folder = cluster.directory / "traced"
    folder.mkdir(exist_ok=True)
    trace = cluster.directory / f"trace-{name}"
    wrapper = folder / name
    wrapper.write_text(f'#!/bin/bash\nexec strace -f -qq -s 512 -o {trace}-$$ -e trace={CALLS} '
                       f'{program(name)} "$@"\n')
    wrapper.chmod(0o755)
    os.environ[f"PHX_{name.upper().replace('-', '_')}"] = str(wrapper)


def created(cluster):
    """(call, path, words) of whatever may have made a name and did not fail."""
    lines = [line for trace in cluster.directory.glob("trace-*")
             for line in trace.read_text(errors="replace").splitlines()]
    for line in lines:
        call = re.match(r"\d+\s+(\w+)\((.*)\)\s+= (-?\d+)", line)
        if not call or call[3].startswith("-"):
            continue
        name, words = call[1], call[2]
        path = re.search(r'"([^"]*)"', words)
        if name == "bind":
            if "AF_UNIX" in words:
                assert "@" not in words.split("sun_path=")[1][:2], f"an abstract name: {line}"
                yield name, path[1], words
        elif not name.startswith("open") or "O_CREAT" in words:
            assert "O_TMPFILE" not in words, line
            yield name, path[1], words


def listing():
    return {folder: sorted(os.listdir(folder)) for folder in SHARED if os.path.isdir(folder)}


def test():
    if shutil.which("strace") is None:
        raise sandbox.Skip("not installed: strace")
    if SLOW > 1:
        raise sandbox.Skip("a sanitizer's check for leaks does not work under strace")
    cluster = Cluster(nodes=2, start=False, extra=transport(sys.argv))
    before = listing()
    for name in ("phalanx-controlplane", "phalanx"):  # The former starts the data plane.
        traced(name, cluster)
    for node in cluster.nodes:
        cluster.start(node)
    cluster.wait_whole()
    subscribers = cluster.subscribe_all("words")
    cluster.publish(2, "words", ["last-000000"]).finish()
    subscribers[0].wait_for("last-000000")

    own = ("/run/phalanx", str(cluster.directory / "state"))
    seen = list(created(cluster))
    for name in ("phalanx.sock", "admin.sock", "dataplane.sock"):
        assert any(call == "bind" and path.endswith(name) for call, path, _ in seen), name
    for call, path, words in seen:
        if path.startswith(NOT_FILES):
            continue
        assert path.startswith(own), f"{call} outside of its directories: {path}"
        if call.startswith("open"):
            assert "O_EXCL" in words or "O_NOFOLLOW" in words, f"through a link: {words}"
    for folder in own:
        for path in [pathlib.Path(folder), *pathlib.Path(folder).rglob("*")]:
            mode = path.lstat().st_mode
            assert not mode & (stat.S_IRWXG | stat.S_IRWXO), f"{path} is {stat.filemode(mode)}"
    assert listing() == before, f"{listing()} instead of {before}"


sandbox.run(test, limit_s=100)
