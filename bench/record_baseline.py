"""What record_bench measures, done with Python's csv and json: MB of input a second on one core."""
import csv
import io
import json
import random
import time

WORDS = "the app crashes great I love update since driver was never again easy".split()
RESULT = [{"label": "POSITIVE", "score": 0.9598047137260437}]


def review():
    return " ".join(random.choices(WORDS, k=random.randint(8, 27)))


def csv_records():
    for number in range(10000):
        text = review()
        quoted = f'"{text}, ""really"""' if random.random() < 0.25 else text
        yield f"{number},4.5.1,5,{quoted}\n"


def json_records():
    for number in range(10000):
        yield json.dumps({"id": number, "app": "uber", "version": "4.556.10005", "score": 5,
                          "date": "2024-12-18T17:17:00", "inputs": review()}) + "\n"


def rate(name, records, work):
    size = sum(map(len, records))
    best = min(timed(work, records) for _ in range(5))
    print(f"{name:32} {size / best / 1e6:7.1f} MB/s")


def timed(work, records):
    start = time.perf_counter()
    work(records)
    return time.perf_counter() - start


def filter_csv(records):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(row[1:] for row in csv.reader(records))


def join_and_filter_csv(records):
    out = io.StringIO()
    rows = (row + ["POSITIVE", "0.95"] for row in csv.reader(records))
    csv.writer(out, lineterminator="\n").writerows((row[0], row[-1]) for row in rows)


def filter_json(records):
    return [json.dumps(json.loads(record)["inputs"]) for record in records]


def join_and_filter_json(records):
    out = []
    for record in records:
        joined = json.loads(record)
        joined["SageMakerOutput"] = RESULT
        out.append(json.dumps({key: joined[key] for key in ("SageMakerOutput", "id")},
                              separators=(",", ":"), sort_keys=True))
    return out


def main():
    random.seed(1)
    rows, documents = list(csv_records()), list(json_records())
    rate("csv: filter", rows, filter_csv)
    rate("csv: join and filter", rows, join_and_filter_csv)
    rate("json: filter", documents, filter_json)
    rate("json: join and filter", documents, join_and_filter_json)


main()
