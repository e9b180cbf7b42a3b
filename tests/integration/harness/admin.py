"""Asks a control plane without its command line: what a stranger may try."""

import json
import os
import subprocess

from harness.cluster import SLOW


def ask_as(user, node, requests):
    """The code of each answer's error, 0 without one: over one connection, as that user."""
    done = subprocess.run(
        [os.environ["PHX_ADMIN_CLIENT"], f"/run/phalanx/n{node}/admin.sock", str(user),
         *[json.dumps(request) for request in requests]],
        capture_output=True, text=True, timeout=30 * SLOW, check=False)
    assert done.returncode == 0, done
    return [json.loads(line).get("error", {}).get("code", 0) for line in done.stdout.splitlines()]
