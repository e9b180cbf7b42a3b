#!/usr/bin/env python3
"""Adds up JUnit files: prints "PASSED FAILED SKIPPED" and, to standard error, what failed."""

import sys
import xml.etree.ElementTree as ElementTree


def verdict(case):
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


def main(paths):
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for path in paths:
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            result = verdict(case)
            count[result] += 1
            if result == "failed":
                name = f"{case.get('classname', '')} {case.get('name', '')}".strip()
                print(f"failed: {name}", file=sys.stderr)
    print(count["passed"], count["failed"], count["skipped"])


if __name__ == "__main__":
    main(sys.argv[1:])
