"""What bench/compare found, as a table for a terminal, as Markdown, JSON and SVG."""
import json
import statistics
import sys

import machine
import plot

SET_TITLES = {"sst2": "SST-2 dev sentences", "reviews": "app reviews",
              "length128": "128 tokens each", "length500": "500 tokens each"}
# What is claimed: text set, Millrace's row, the rows it is compared with (the fastest of them
# counts), at least. Those of "avx512vnni" are for CPUs with byte dot products.
TARGETS = [
    ("sst2", "Millrace int8", "OpenVINO int8", 1.35, "avx512vnni"),
    ("sst2", "Millrace int8", "OpenVINO int8", 1.0, "avx2"),
    ("sst2", "Millrace int8", "ONNX Runtime int8", 2.0, None),
    ("sst2", "Millrace int8", "Transformers fp32 one by one", 20, None),
    ("reviews", "Millrace int8", "OpenVINO int8", 1.35, "avx512vnni"),
    ("reviews", "Millrace int8", "OpenVINO int8", 1.0, "avx2"),
    ("reviews", "Millrace int8", "ONNX Runtime int8", 2.0, None),
    ("reviews", "Millrace int8 duplicates once", "OpenVINO int8", 1.35, None),
    ("reviews", "Millrace int8 duplicates once", "ONNX Runtime int8", 2.0, None),
    ("sst2", "Millrace int8", "Millrace int8 one core", 1.9, None),
    ("sst2", "Millrace int8 AVX2 only", "OpenVINO int8 sorted, token budget, AVX2 only", 1.0,
     None),
    ("sst2", "Millrace bf16", "OpenVINO bf16", 1.15, None),
    ("sst2", "Millrace fp32", "OpenVINO fp32", 1.15, None),
    ("sst2", "Millrace fp32", "ONNX Runtime fp32", 1.3, None),
    ("length128", "Millrace int8", "OpenVINO int8", 1.2, "avx512vnni"),
    ("length128", "Millrace int8", "OpenVINO int8", 1.0, "avx2"),
    ("length500", "Millrace int8", "OpenVINO int8", 1.05, "avx512vnni"),
    ("length500", "Millrace int8", "OpenVINO int8", 1.0, "avx2"),
]

# A target that is missed by less is told apart.
NEAR = 0.85


def ratio(ours, theirs):
    """How many times faster: the median over rounds, each compared with its neighbour in time."""
    return statistics.median(b / a for a, b in zip(ours["seconds"], theirs["seconds"]))


def _shown(report, set_name):
    return {row["name"]: row["sets"][set_name] for row in report["rows"]
            if set_name in row["sets"]}


def targets(report):
    """Each target that this run can speak of, with what was seen."""
    kind = (report["isa_forced"] or machine.isa_name()).replace("_bf16", "_vnni").replace("_", "")
    found = []
    for set_name, ours, prefix, at_least, isa in TARGETS:
        if isa and isa != kind:
            continue
        shown = _shown(report, set_name)
        others = [name for name in shown if name.startswith(prefix)
                  and name.endswith("AVX2 only") == prefix.endswith("AVX2 only")]
        if ours not in shown or not others:
            continue
        fastest = min(others, key=lambda name: statistics.median(shown[name]["seconds"]))
        seen = ratio(shown[ours], shown[fastest])
        found.append({"set": set_name, "ours": ours, "theirs": fastest, "at_least": at_least,
                      "ratio": seen, "met": seen >= at_least,
                      "near": seen >= NEAR * at_least})
    return found


def _set_rows(report, set_name):
    """(name, sequences/s, tokens/s, Millrace of the same precision / this, difference, labels)."""
    shown = _shown(report, set_name)
    precision = {row["name"]: row["precision"] for row in report["rows"]}
    rows = []
    for name, s in sorted(shown.items(), key=lambda item: -item[1]["sequences_per_s"]):
        ours = shown.get("Millrace " + precision[name])
        times = "" if ours is None else f"{ratio(ours, s):.2f}"
        rows.append((name, f"{s['sequences_per_s']:.1f}", f"{s['tokens_per_s']:.0f}", times,
                     f"{s['largest_difference']:.1e}", str(s["labels_changed"])))
    return rows


HEADER = ("engine", "sequences/s", "tokens/s", "Millrace is x", "largest dp", "labels")


def table(report):
    lines = []
    for set_name, size in report["sets"].items():
        lines += ["", f"{SET_TITLES[set_name]}: {size['texts']} texts, {size['tokens']} tokens"]
        rows = [HEADER] + _set_rows(report, set_name)
        width = max(len(row[0]) for row in rows)
        lines += [f"  {row[0]:{width}} " + " ".join(f"{cell:>13}" for cell in row[1:])
                  for row in rows]
    lines.append("")
    lines += [f"no figure: {row['name']}: {row['why']}" for row in report["rows"] if "why" in row]
    for t in report["targets"]:
        verdict = "met" if t["met"] else "near" if t["near"] else "MISSED"
        lines.append(f"{verdict:6} {t['ours']} / {t['theirs']}, {t['set']}: {t['ratio']:.2f} "
                     f"(at least {t['at_least']})")
    return "\n".join(lines)


def markdown(report):
    lines = []
    for set_name, size in report["sets"].items():
        lines += ["", f"**{SET_TITLES[set_name]}** ({size['texts']} texts, "
                      f"{size['tokens'] / size['texts']:.1f} tokens on average)", "",
                  "| engine | sequences/s | tokens/s | Millrace, same precision, is | "
                  "largest change of p | labels changed |", "|---|--:|--:|--:|--:|--:|"]
        for name, *cells in _set_rows(report, set_name):
            cells[2] += "x as fast" if cells[2] else ""
            name = f"**{name}**" if name.startswith("Millrace") else name
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    if report["targets"]:
        lines += ["", "| Millrace's row | against | texts | times as fast | aim |",
                  "|---|---|---|--:|--:|"]
    for t in report["targets"]:
        lines.append(f"| {t['ours']} | {t['theirs']} | {SET_TITLES[t['set']]} | "
                     f"{t['ratio']:.2f} | {t['at_least']} |")
    skipped = [row for row in report["rows"] if "why" in row]
    lines += [""] + [f"No figure for {row['name']}: {row['why']}." for row in skipped]
    return "\n".join(lines).strip() + "\n"


def _panels(report):
    for set_name, size in report["sets"].items():
        bars = [(name, s["sequences_per_s"], name.startswith("Millrace"))
                for name, s in _shown(report, set_name).items()]
        yield (f"{SET_TITLES[set_name]} ({size['tokens'] / size['texts']:.0f} tokens on average)",
               sorted(bars, key=lambda bar: -bar[1]))


def write(report, whole):
    """Prints the table; writes JSON, Markdown and SVG: `whole` runs for the repository."""
    print(table(report))
    name = "compare-" + (report["isa_forced"] or machine.isa_name())
    name += "" if whole else "-partial"
    machine.RESULTS.mkdir(exist_ok=True)
    target = machine.RESULTS / name
    target.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")
    target.with_suffix(".md").write_text(markdown(report))
    title = (f"Sequences per second, {report['cores']} cores of {report['cpu']}, "
             f"DistilBERT-base shape")
    note = (f"{', '.join(report['instructions'])}; {report['millrace']}, commit "
            f"{report['commit']}, {report['date']}; medians of {report['rounds']} rounds")
    target.with_suffix(".svg").write_text(plot.bars(title, note, list(_panels(report))))
    print(f"wrote {target}.json, .md, .svg", file=sys.stderr)
