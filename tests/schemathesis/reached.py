"""Prints the number of responses by status, and fails if an operation never succeeded: reached.py ANSWERS DOCUMENT [EXCEPT…]"""

import json
import sys

with open(sys.argv[1]) as file:
    answers = json.load(file)
with open(sys.argv[2]) as file:
    paths = json.load(file)["paths"]
operations = {f"{method.upper()} {path}" for path, item in paths.items() for method in item}

statuses = {}
for answer, number in answers.items():
    status = answer.rsplit(" ", 1)[1]
    statuses[status] = statuses.get(status, 0) + number
print(sum(answers.values()), "requests:", ", ".join(f"{status} {statuses[status]}" for status in sorted(statuses)))

granted = {operation for operation in operations if any(f"{operation} {status}" in answers for status in (200, 201, 206))}
if missing := operations - granted - set(sys.argv[3:]):
    sys.exit("never succeeded: " + ", ".join(sorted(missing)))
