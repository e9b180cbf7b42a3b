"""What the commands print and end with: exit codes are part of the interface."""

import json
import pathlib
import re
import subprocess
import tempfile

from harness import sandbox
from harness.cluster import Cluster, program, wait_until


def run(*words, feed=""):
    return subprocess.run([program("phalanx"), *words], input=feed, capture_output=True, text=True,
                          timeout=30, check=False)


def expect(code, *words, feed=""):
    done = run(*words, feed=feed)
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def test_without_a_daemon():
    expect(0, "--help")
    assert "did you mean status?" in expect(2, "statsu").stderr
    assert "did you mean --json?" in expect(2, "status", "--jsn").stderr
    expect(2, "demo", "--nodes", "0")
    # Who asked for JSON gets it for a mistyped line, too.
    typo = json.loads(expect(2, "status", "--json", "--bogus").stdout)["error"]
    assert typo["code"] == 2 and "--bogus" in typo["attempted"], typo
    assert "remedy" in expect(3, "status").stderr
    assert json.loads(expect(3, "status", "--json").stdout)["error"]["code"] == 3
    expect(3, "sub", "words")
    expect(3, "pub", "words", feed="hello\n")
    assert "did you mean lane.log?" in expect(2, "config", "check", "/dev/stdin",
                                              feed="[lane]\nlogs = 1\n").stderr
    asked = ("--config", "/dev/stdin", "--json", "quorum", "--what-if", "n1-down")
    errors = json.loads(expect(2, *asked, feed="[lane]\nlogs = 1\n").stdout)["errors"]
    assert any(error["line"] == 2 and "did you mean lane.log?" in error["remedy"]
               for error in errors), errors
    assert expect(0, "config", "init").stdout.startswith("# Phalanx")
    assert "did you mean lane.log?" in expect(2, "config", "explain", "lane.logg").stderr
    nodes = json.loads(expect(0, "config", "explain", "cluster.nodes", "--json").stdout)
    assert [key["key"] for key in nodes["node_keys"]][:2] == ["id", "name"], nodes


def test_every_command_has_a_manual_page():
    manual = pathlib.Path(__file__).parents[2] / "deploy/man"
    listed = expect(0, "--help").stdout.split("Subcommands:\n")[1].split("\n\n")[0]
    commands = re.findall(r"^  ([a-z]+) ", listed, re.MULTILINE)
    assert {"status", "top", "version"} <= set(commands), commands
    for command in commands:
        page = manual / f"phalanx-{command}.1.scd"
        assert page.exists(), f"no manual page for {command}"
    built = (manual / "meson.build").read_text(encoding="utf-8")
    for page in manual.glob("*.scd"):
        assert f"'{page.stem}'" in built, f"{page.name} is not installed"


def test_key_files():
    with tempfile.TemporaryDirectory() as directory:
        key, config = f"{directory}/cluster.key", f"{directory}/phalanx.toml"
        with open(config, "w", encoding="utf-8") as out:
            out.write(f'[cluster]\nkey_file = "{key}"\n[[cluster.nodes]]\nid = 1\n'
                      'address = "127.0.0.1:5405"\n')
        assert f"phalanx key generate {key}" in expect(2, "config", "check", config).stderr
        expect(0, "key", "generate", key)
        expect(0, "config", "check", config)
        assert "--force" in expect(1, "key", "generate", key).stderr
        with open(key, "w", encoding="utf-8") as out:
            out.write("no key\n")
        assert "phalanx key generate" in expect(2, "config", "check", config).stderr


def test_with_a_node():
    cluster = Cluster(nodes=1)
    node = ("--instance", "n1")
    watcher = cluster.subscribe(1, "words")
    wait_until("the subscriber has joined", watcher.lines)
    cluster.publish(1, "words", ["first"]).finish()

    # An empty line is an empty message; a line may hold anything; the last need not end.
    result = expect(0, *node, "pub", "words", "--json", feed="a\\b\n\n\ttab\nend")
    assert json.loads(result.stdout) == {"version": 1, "sent": 4, "delivered": 4, "skipped": 0}
    oversize = expect(1, *node, "pub", "words", feed="x" * (1 << 20) + "y\nshort\n")
    assert "line 1 is longer" in oversize.stderr, oversize.stderr
    wait_until("the last line is printed", lambda: watcher.lines()[-1].endswith(" short"))
    texts = [line.split(" ", 1)[1] for line in watcher.lines()[1:]]
    assert texts == ["first", "a\\\\b", "", "\\ttab", "end", "short"], texts

    # A closed standard descriptor is no invitation to a socket of our own to take its place.
    shell = f"{program('phalanx')} --instance n1"
    for line, said in ((f"{shell} pub words <&-", "standard input"),
                       (f"{shell} pub words </proc", "standard input"),
                       (f"{shell} status >&-", "standard output"),
                       (f"{shell} status >/dev/full", "standard output"),
                       (f"{shell} sub words >&-", "standard output")):
        done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=30,
                              check=False)
        assert done.returncode == 1 and said in done.stderr, f"{line}: {done}"

    groups = json.loads(expect(0, *node, "groups", "--json").stdout)["groups"]
    assert [(g["name"], len(g["members"])) for g in groups] == [("words", 1)], groups
    expect(2, *node, "sub", "")
    expect(2, *node, "pub", "g" * 129, feed="hello\n")
    assert expect(0, *node, "status").stdout.startswith("fine"), "all is well"
    dataplane = json.loads(expect(0, *node, "status", "--json").stdout)["dataplane"]
    assert dataplane["longest_gap_ms"] >= dataplane["recent_gap_ms"] > 0, dataplane


def test():
    test_without_a_daemon()
    test_every_command_has_a_manual_page()
    test_key_files()
    test_with_a_node()


sandbox.run(test)
