"""How a user would cut texts into batches for an engine that pads, and what every engine is fed."""
import random

import numpy as np

TOKEN_BUDGET = 1024  # the fastest for ONNX Runtime and OpenVINO on the CPUs seen
BATCH = 32


def sorted_order(ids):
    return [int(i) for i in np.argsort([-len(row) for row in ids], kind="stable")]


def chunks(order, size=BATCH):
    return [order[i:i + size] for i in range(0, len(order), size)]


def random_batches(ids):
    order = list(range(len(ids)))
    random.Random(4).shuffle(order)
    return chunks(order)


def sorted_batches(ids):
    return chunks(sorted_order(ids))


def budget_batches(ids):
    """Longest first, cut so that rows x longest stays within the token budget."""
    batches, current, longest = [], [], 0
    for index in sorted_order(ids):
        longest_then = max(longest, len(ids[index]))
        if current and longest_then * (len(current) + 1) > TOKEN_BUDGET:
            batches.append(current)
            current, longest_then = [], len(ids[index])
        current.append(index)
        longest = longest_then
    return batches + [current] if current else batches


ARRANGEMENTS = {"random b32": random_batches, "sorted b32": sorted_batches,
                "sorted, token budget": budget_batches}


def padded(ids, batch):
    """(ids, mask) of one batch, padded to its longest row."""
    longest = max(len(ids[i]) for i in batch)
    values = np.zeros((len(batch), longest), np.int64)
    mask = np.zeros((len(batch), longest), np.int64)
    for row, i in enumerate(batch):
        values[row, :len(ids[i])] = ids[i]
        mask[row, :len(ids[i])] = 1
    return values, mask


def positive(logits):
    """p of the second label of each row."""
    logits = np.asarray(logits, np.float64)
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exp[:, 1] / exp.sum(axis=1)
