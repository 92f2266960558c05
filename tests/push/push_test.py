#!/usr/bin/env python3
"""The push gateway as subscribers, back ends and attackers see it: push_test.py PUSH CASE

Exit status 77 means that the case cannot run here; the reason is printed. The cases on one subject are in one file,
which also names them.
"""

import sys
import tempfile

from gateway import Skipped

import delivery_cases
import faults_cases
import input_cases
import nats_cases
import network_cases
import page_cases
import weight_cases

SUBJECTS = (delivery_cases, faults_cases, input_cases, nats_cases, network_cases, page_cases, weight_cases)
CASES = {name: case for subject in SUBJECTS for name, case in subject.CASES.items()}


def main():
    if len(sys.argv) != 3 or sys.argv[2] not in CASES:
        sys.exit(f"usage: {sys.argv[0]} PUSH {'|'.join(CASES)}")
    with tempfile.TemporaryDirectory(prefix="tare-push-", ignore_cleanup_errors=True) as folder:
        try:
            CASES[sys.argv[2]](sys.argv[1], folder)
        except Skipped as why:
            print(f"skipped: {why}")
            sys.exit(77)


if __name__ == "__main__":
    main()
