"""From samples to a table. Pure: no processes, no clock, no files.

A sample is one round of one subject:
  {"rps": float, "errors": [str], "parts": {part: {"cpu_us": float, "idle_kib": int, "loaded_kib": int}}}
A row of the table is one part of a subject, or several in a row.
"""

import dataclasses
from statistics import median
from typing import Optional


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    subject: str  # whose samples
    parts: tuple  # whose CPU time, added up
    target: Optional[float] = None  # at most this ratio to the group's base


@dataclasses.dataclass(frozen=True)
class Memory:
    name: str
    subject: str
    part: str
    target_kib: Optional[int] = None  # at most this much resident when idle


def round_cpu_us(row, sample):
    return sum(sample["parts"][part]["cpu_us"] for part in row.parts)


def good(samples):
    return [(number, sample) for number, sample in enumerate(samples) if sample and not sample["errors"]]


def ratio_to(row, base, samples):
    """The median over rounds of the ratio in each round: a slow moment of the machine slows both."""
    of_base = dict(good(samples.get(base.subject, [])))
    ratios = [
        round_cpu_us(row, sample) / round_cpu_us(base, of_base[number])
        for number, sample in good(samples.get(row.subject, []))
        if number in of_base
    ]
    return median(ratios) if ratios else None


def evaluate(row, base, samples, absent):
    """One line of the table as values. `absent` says why a subject was not measured."""
    line = {"name": row.name, "target": row.target, "errors": []}
    if row.subject in absent:
        return {**line, "absent": absent[row.subject]}
    for sample in samples.get(row.subject, []):
        line["errors"] += [error for error in sample["errors"] if error not in line["errors"]]
    valid = [sample for _, sample in good(samples.get(row.subject, []))]
    if not valid:
        return line
    cpu = [round_cpu_us(row, sample) for sample in valid]
    ratio = ratio_to(row, base, samples)
    line.update(
        rps=median(sample["rps"] for sample in valid),
        cpu_us=median(cpu),
        cpu_us_min=min(cpu),
        cpu_us_max=max(cpu),
        ratio=ratio,
    )
    if row.target is not None and ratio is not None:
        line["holds"] = ratio <= row.target
    return line


def evaluate_memory(row, samples, absent):
    line = {"name": row.name, "target": row.target_kib}
    if row.subject in absent:
        return {**line, "absent": absent[row.subject]}
    parts = [sample["parts"][row.part] for _, sample in good(samples.get(row.subject, []))]
    if not parts:
        return line
    line["idle_kib"] = median(part["idle_kib"] for part in parts)
    line["loaded_kib"] = max(part["loaded_kib"] for part in parts)
    if row.target_kib is not None:
        line["holds"] = line["idle_kib"] <= row.target_kib
    return line


def verdict(line):
    if line.get("errors"):
        return "**ERRORS**"
    if line.get("target") is None:
        return ""
    return {True: "yes", False: "**NO**", None: "not measured"}[line.get("holds")]


def table(head, lines):
    """Markdown that reads well in a terminal too: the first column left, the others right."""
    widths = [max(len(cells[i]) for cells in [head, *lines]) for i in range(len(head))]

    def text(cells):
        padded = [cells[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(cells[1:], widths[1:])]
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "-" * (widths[0] + 2) + "|" + "|".join("-" * (w + 1) + ":" for w in widths[1:]) + "|"
    return "\n".join([text(head), rule, *map(text, lines)])


def cpu_table(lines, base_name):
    def cells(line):
        target = f"<= {line['target']:.2f}" if line["target"] is not None else ""
        if "absent" in line:
            return [line["name"], line["absent"], "", "", "", target, verdict(line)]
        if "cpu_us" not in line:
            return [line["name"], "failed", "", "", "", target, verdict(line)]
        ratio = f"{line['ratio']:.2f}" if line["ratio"] is not None else "-"
        spread = f"{line['cpu_us_min']:.1f} - {line['cpu_us_max']:.1f}"
        return [
            line["name"], f"{line['rps']:,.0f}", f"{line['cpu_us']:.1f}", spread, ratio, target, verdict(line)
        ]

    head = ["row", "requests/s", "CPU us/request", "min - max", f"to {base_name}", "target", "holds"]
    return table(head, [cells(line) for line in lines])


def memory_table(lines):
    def mib(line, key):
        return f"{line[key] / 1024:.2f}" if line.get(key) is not None else "-"

    def cells(line):
        target = f"<= {line['target'] / 1024:g}" if line["target"] is not None else ""
        idle = line["absent"] if "absent" in line else mib(line, "idle_kib")
        return [line["name"], idle, mib(line, "loaded_kib"), target, verdict(line)]

    head = ["program", "idle MiB", "after load MiB", "idle target", "holds"]
    return table(head, [cells(line) for line in lines])


def size_table(lines):
    def cells(line):
        target = f"<= {line['target'] / 2**20:g}" if line["target"] is not None else ""
        size = line["absent"] if "absent" in line else f"{line['bytes'] / 2**20:.2f}"
        return [line["name"], size, target, verdict(line)]

    return table(["program, stripped", "MiB", "target", "holds"], [cells(line) for line in lines])


def missed(lines):
    return [line["name"] for line in lines if line.get("holds") is False]
