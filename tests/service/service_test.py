#!/usr/bin/env python3
"""The reference service as users and attackers see it: service_test.py SERVICE CASE

Exit status 77 means that the case cannot run here; the reason is printed. The cases on one subject are in one file,
which also names them. Cases whose names end in -full take up to a minute.
"""

import sys
import tempfile

import database_cases
import default_cases
import overload_cases
import requests_cases
import restart_cases
import tasks_cases
from harness import Skipped

SUBJECTS = (requests_cases, tasks_cases, restart_cases, database_cases, default_cases, overload_cases)
CASES = {name: case for subject in SUBJECTS for name, case in subject.CASES.items()}


def main():
    if len(sys.argv) != 3 or sys.argv[2] not in CASES:
        sys.exit(f"usage: {sys.argv[0]} SERVICE {'|'.join(CASES)}")
    with tempfile.TemporaryDirectory(prefix="tare-service-") as folder:
        try:
            CASES[sys.argv[2]](sys.argv[1], folder)
        except Skipped as why:
            print(f"skipped: {why}")
            sys.exit(77)


if __name__ == "__main__":
    main()
