"""ONNX Runtime over the fused graph, all cores in one session."""
import time

import numpy as np
import onnxruntime

from engines import batches, onnx_graph
from machine import cpu_flags

VERSION = onnxruntime.__version__


def int8_max():
    """Without VNNI the byte products of ONNX Runtime saturate, and it asks for 7-bit weights."""
    return 127 if {"avx512_vnni", "avx_vnni", "asimddp"} & set(cpu_flags()) else 63


class Engine:
    def __init__(self, precision, arrangement, model, work, threads):
        bits = int8_max() if precision == "int8" else 0
        path = work / f"{model.name}-{precision}-{bits}.onnx"
        if not path.exists():
            onnx_graph.build_graph(model, path, bits)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(str(path), options,
                                                    providers=["CPUExecutionProvider"])
        self.arrange = batches.ARRANGEMENTS[arrangement]

    def run(self, texts, ids):
        """All texts once: (seconds, p of each)."""
        answers = np.zeros(len(ids))
        plan = self.arrange(ids)
        start = time.perf_counter()
        for batch in plan:
            values, mask = batches.padded(ids, batch)
            positions = np.arange(values.shape[1], dtype=np.int64)[None, :]
            logits = self.session.run(None, {"ids": values, "positions": positions,
                                             "mask": mask.astype(np.int32)})[0]
            answers[batch] = batches.positive(logits)
        return time.perf_counter() - start, answers
