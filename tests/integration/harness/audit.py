"""What the processes of a cluster hold, so that a test sees what stays behind after faults."""

import json
import os
import pathlib
import re

from harness.cluster import SLOW, wait_until

# Of resident memory: pages of buffers that were not touched before. Sanitizers keep what was freed.
GROWTH_KB = 24 * 1024 if SLOW == 1 else 1 << 20


def held(pid):
    """Descriptors, mappings of shared memory, huge and resident kB of one process."""
    memory = pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return {"descriptors": len(os.listdir(f"/proc/{pid}/fd")),
            "memfds": memory.count("memfd:"),
            "huge": int(re.search(r"HugetlbPages:\s+(\d+)", status)[1]),
            "resident": int(re.search(r"VmRSS:\s+(\d+)", status)[1])}


def hugepage_files():
    """Files that would keep pages of the host after the end of whoever made them."""
    return sum(path.name.startswith("phalanx") for path in pathlib.Path("/dev/hugepages").glob("*"))


def processes():
    """Every program of the project that runs in this sandbox."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            words = pathlib.Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if entry.isdigit() and os.path.basename(words[0]).startswith(b"phalanx-"):
            found.append(words[0])
    return len(found)


def members(cluster, node, group):
    """Members of a group, as a node sees them."""
    groups = json.loads(cluster.phalanx(node, "groups", "--json", check=True).stdout)["groups"]
    return sum(len(one["members"]) for one in groups if one["name"] == group)


class Audit:
    """Taken while a cluster is whole; compared when it is whole again, with the same clients."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.before = self._take()

    def _take(self):
        taken = {"processes": processes(), "hugepage files": hugepage_files()}
        for node in self.cluster.nodes:
            taken[f"n{node} data plane"] = held(self.cluster.dataplane_pid(node))
            taken[f"n{node} control plane"] = held(self.cluster.controlplanes[node].pid)
        return taken

    def _more(self):
        """What is held now that was not, in words."""
        now, more = self._take(), []
        for who, had in self.before.items():
            if not isinstance(had, dict):
                if now[who] > had:
                    more.append(f"{who}: {had} became {now[who]}")
                continue
            for what, count in had.items():
                allowed = count + (GROWTH_KB if what in ("resident", "huge") else 0)
                if now[who][what] > allowed:
                    more.append(f"{who}: {what} {count} became {now[who][what]}")
        return more

    def check(self, group, expected):
        """Nothing more than before is held, and the group has no member that is gone."""
        for node in self.cluster.nodes:
            wait_until(f"n{node} counts {expected} members of {group}",
                       lambda n=node: members(self.cluster, n, group) == expected)
        try:
            wait_until("nothing more is held", lambda: not self._more(), limit_s=10)
        except AssertionError:
            raise AssertionError(f"left behind: {self._more()}") from None
