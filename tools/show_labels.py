#!/usr/bin/env python3
"""Prints what a job said about reviews: counts by label and by stars, a few rows, the speed.

    show_labels.py OUTPUT.csv SUMMARY.json
"""

import collections
import csv
import json
import sys

WIDTH = 72


def shorten(text):
    text = " ".join(text.split())
    return text if len(text) <= WIDTH else text[:WIDTH - 3] + "..."


def counts(rows):
    by_stars = collections.defaultdict(collections.Counter)
    for row in rows:
        by_stars[row["score"]][row["predicted_label"] or "(empty)"] += 1
    labels = sorted({label for counter in by_stars.values() for label in counter})
    print("\n" + "stars".ljust(8) + "".join(label.rjust(10) for label in labels))
    for stars in sorted(by_stars):
        print(stars.ljust(8) + "".join(str(by_stars[stars][label]).rjust(10) for label in labels))
    total = sum(by_stars.values(), collections.Counter())
    print("all".ljust(8) + "".join(str(total[label]).rjust(10) for label in labels))


def examples(rows):
    """The surest of each label, and what the stars would not have told."""
    labelled = [row for row in rows if row["predicted_label"]]
    labelled.sort(key=lambda row: -float(row["predicted_score"]))
    groups = [
        ("surest negative", [r for r in labelled if r["predicted_label"] == "NEGATIVE"]),
        ("surest positive", [r for r in labelled if r["predicted_label"] == "POSITIVE"]),
        ("negative in spite of 4 or 5 stars",
         [r for r in labelled if r["predicted_label"] == "NEGATIVE" and r["score"] in "45"]),
    ]
    for title, group in groups:
        print(f"\n{title}")
        long_enough = [row for row in group if len(row["text"]) > 30] or group
        for row in long_enough[:3]:
            print(f"  {row['score']} stars  {row['predicted_label']}  "
                  f"{float(row['predicted_score']):.4f}  {shorten(row['text'])}")


def main():
    with open(sys.argv[1], newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with open(sys.argv[2], encoding="utf-8") as file:
        summary = json.loads(file.read().splitlines()[-1])
    counts(rows)
    examples(rows)
    print(f"\n{summary['records']} reviews in {summary['seconds']:.2f} s, start-up included: "
          f"{summary['records_per_s']:.0f} a second ({summary['precision']}, {summary['isa']})")
    print(f"the reviews with their labels: {sys.argv[1]}")


if __name__ == "__main__":
    main()
