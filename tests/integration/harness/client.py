"""`phalanx sub` and `phalanx pub` as processes of a test."""

import re
import signal
import subprocess
import threading
import time

# What publish() sends: a word of the publisher and a number, found whatever stands around it.
TOKEN = re.compile(r"\b[a-z][a-z0-9]*-\d{6}\b")


def numbered(name, count):
    """Lines that tell which publisher they are of and which is missing."""
    return [f"{name}-{i:06d}" for i in range(count)]


class Client:
    """One process, its output in a file that can be read while it runs."""

    def __init__(self, cluster, node, group, verb, feed=None, extra=(), **popen):
        from harness.cluster import program

        self.name = f"{verb} n{node} {group} #{len(cluster.clients)}"
        stem = cluster.directory / self.name.replace(" ", "-")
        self.output = stem.with_suffix(".out")
        self.errors = stem.with_suffix(".err")
        with open(self.output, "wb") as out, open(self.errors, "wb") as err:
            self.process = subprocess.Popen(
                [program("phalanx"), "--instance", f"n{node}", verb, group, *extra],
                stdin=feed or subprocess.DEVNULL, stdout=out, stderr=err, **popen)

    def lines(self):
        """Whole lines only: the last one may be in the middle of being written."""
        text = self.output.read_text(errors="replace")
        return text.split("\n")[:-1]

    def text(self):
        """All it printed, also to standard error."""
        return "".join(f.read_text(errors="replace") for f in (self.output, self.errors))

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(10)

    def tell(self):
        lines = self.lines()
        print(f"--- {self.name}: {len(lines)} lines", *lines[:8], "...", *lines[-8:], sep="\n")
        print(self.errors.read_text(errors="replace")[-2000:])


class Subscriber(Client):
    """`phalanx sub`: what it printed, and the messages in it."""

    def __init__(self, cluster, node, group, **popen):
        super().__init__(cluster, node, group, "sub", **popen)

    def messages(self):
        """The lines of publishers, in the order of delivery, without anything around them."""
        return TOKEN.findall(self.output.read_text(errors="replace"))

    def wait_for(self, token, limit_s=20.0):
        """Reads each part of the output once: it may be long."""
        from harness.cluster import wait_until

        wanted, tail, at = token.encode(), b"", 0

        def printed():
            nonlocal tail, at
            with open(self.output, "rb") as output:
                output.seek(at)
                new = output.read()
            at += len(new)
            found = wanted in tail + new
            tail = (tail + new)[-len(wanted):]
            return found

        wait_until(f"{self.name} prints {token}", printed, limit_s)

    def views(self):
        """What it delivered in each view: [(its line, its messages)], in order."""
        views = []
        for line in self.lines():
            if line.startswith("view "):
                views.append((line, []))
            elif views:
                views[-1][1].extend(TOKEN.findall(line))
        return views

    def lines_from(self, token):
        """Everything it printed from the line of that message on, views included."""
        lines = self.lines()
        for i, line in enumerate(lines):
            if token in TOKEN.findall(line):
                return lines[i:]
        raise AssertionError(f"{self.name} never printed {token}")


class Publisher(Client):
    """`phalanx pub` with its lines on standard input."""

    def __init__(self, cluster, node, group, lines, **popen):
        self.sent = list(lines)
        feed = cluster.directory / f"feed-{len(cluster.clients)}"
        feed.write_text("".join(line + "\n" for line in self.sent), encoding="utf-8")
        with open(feed, "rb") as stream:
            super().__init__(cluster, node, group, "pub", feed=stream, **popen)

    def finish(self, limit_s=40.0):
        """Waits until all is delivered, which is when pub ends."""
        from harness.cluster import SLOW

        code = self.process.wait(limit_s * SLOW)
        assert code == 0, f"{self.name} ended with {code}: {self.errors.read_text()}"


class Stream(Client):
    """`phalanx pub` fed line after line at a pace, until finish(): load that lasts over a fault."""

    def __init__(self, cluster, node, group, name, lines_per_s=2000, **popen):
        self.sent = []
        self._name, self._pause = name, 20 / lines_per_s
        self._stop = threading.Event()
        super().__init__(cluster, node, group, "pub", feed=subprocess.PIPE, **popen)
        self._feeder = threading.Thread(target=self._feed, daemon=True)
        self._feeder.start()

    def _feed(self):
        try:
            while not self._stop.is_set():
                begin = len(self.sent)
                lines = [f"{self._name}-{i:06d}" for i in range(begin, begin + 20)]
                self.process.stdin.write("".join(line + "\n" for line in lines).encode())
                self.process.stdin.flush()
                self.sent += lines
                time.sleep(self._pause)
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # The publisher ended; finish() tells.

    def more(self, count=200):
        """Waits until that many lines more were fed."""
        from harness.cluster import wait_until

        goal = len(self.sent) + count
        wait_until(f"{self.name} takes {count} lines more", lambda: len(self.sent) >= goal)

    def finish(self, limit_s=40.0):
        from harness.cluster import SLOW

        self._stop.set()
        code = self.process.wait(limit_s * SLOW)
        self._feeder.join(5)
        assert code == 0, f"{self.name} ended with {code}: {self.errors.read_text()}"
