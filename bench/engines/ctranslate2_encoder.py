"""CTranslate2's encoder, one worker for each core, with the classifier's two small layers in numpy
(it has none). Batches are sorted with a token budget."""
import concurrent.futures
import time

import ctranslate2
import numpy as np
from ctranslate2.converters import TransformersConverter
from safetensors.numpy import load_file

from engines import batches

VERSION = ctranslate2.__version__


class Engine:
    def __init__(self, precision, arrangement, model, work, threads):
        kind = {"fp32": "float32", "int8": "int8", "bf16": "bfloat16"}[precision]
        if kind not in ctranslate2.get_supported_compute_types("cpu"):
            raise RuntimeError(f"it has no {kind} on this CPU")
        path = work / f"{model.name}-ctranslate2-{VERSION}-{kind}"
        if not (path / "model.bin").exists():
            TransformersConverter(str(model)).convert(str(path), quantization=kind, force=True)
        self.encoder = ctranslate2.Encoder(str(path), device="cpu", compute_type=kind,
                                           inter_threads=threads, intra_threads=1)
        self.pool = concurrent.futures.ThreadPoolExecutor(threads)
        tensors = load_file(model / "model.safetensors")
        self.head = [tensors[f"{layer}.{part}"].astype(np.float32)
                     for layer in ("pre_classifier", "classifier") for part in ("weight", "bias")]
        self.arrange = batches.ARRANGEMENTS[arrangement]

    def _logits(self, rows):
        output = self.encoder.forward_batch(rows)
        first = np.array(output.last_hidden_state)[:, 0]
        weight, bias, classifier, classifier_bias = self.head
        return np.maximum(first @ weight.T + bias, 0) @ classifier.T + classifier_bias

    def run(self, texts, ids):
        """All texts once: (seconds, p of each)."""
        answers = np.zeros(len(ids))
        plan = self.arrange(ids)
        start = time.perf_counter()
        results = self.pool.map(self._logits, [[ids[i] for i in batch] for batch in plan])
        for batch, logits in zip(plan, results):
            answers[batch] = batches.positive(logits)
        return time.perf_counter() - start, answers
