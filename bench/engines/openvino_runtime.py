"""OpenVINO in throughput mode with as many requests as it asks for: fp32, bf16, and int8 by NNCF
(static, SmoothQuant), calibrated on training texts. Batches are sorted with a token budget."""
import time

import numpy as np
import openvino

import texts as bench_texts
from engines import batches

VERSION = openvino.__version__
CALIBRATION_TEXTS = 300


def _convert(model, path):
    import torch
    from transformers import AutoModelForSequenceClassification
    network = AutoModelForSequenceClassification.from_pretrained(
        str(model), attn_implementation="eager").float().eval()
    example = {name: torch.ones((2, 8), dtype=torch.int64)
               for name in ("input_ids", "attention_mask")}
    openvino.save_model(openvino.convert_model(network, example_input=example), path,
                        compress_to_fp16=False)


def _quantise(model, source, path):
    import nncf
    tokenizer = bench_texts.load_tokenizer(model)
    texts = bench_texts.sst2_train()[:CALIBRATION_TEXTS]
    ids = [e.ids for e in tokenizer.encode_batch(texts)]
    feeds = []
    for batch in batches.budget_batches(ids):
        values, mask = batches.padded(ids, batch)
        feeds.append({"input_ids": values, "attention_mask": mask})
    quantised = nncf.quantize(openvino.Core().read_model(source), nncf.Dataset(feeds),
                              model_type=nncf.ModelType.TRANSFORMER, subset_size=len(feeds))
    openvino.save_model(quantised, path, compress_to_fp16=False)


class Engine:
    def __init__(self, precision, arrangement, model, work, threads):
        core = openvino.Core()
        able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "bf16" and "BF16" not in able:
            raise RuntimeError("this CPU has no bf16")
        path = work / f"{model.name}-openvino-{VERSION.split('-')[0]}-fp32.xml"
        if not path.exists():
            _convert(model, path)
        if precision == "int8":
            source, path = path, path.with_name(path.name.replace("fp32", "int8"))
            if not path.exists():
                _quantise(model, source, path)
        settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_NUM_THREADS": threads}
        if precision != "int8":  # there it is faster left to choose for what is not quantised
            hint = {"fp32": "f32"}.get(precision, precision)
            settings["INFERENCE_PRECISION_HINT"] = hint
        self.compiled = core.compile_model(core.read_model(path), "CPU", settings)
        requests = self.compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self.queue = openvino.AsyncInferQueue(self.compiled, requests)
        self.arrange = batches.ARRANGEMENTS[arrangement]

    def run(self, texts, ids):
        """All texts once: (seconds, p of each)."""
        answers = np.zeros(len(ids))

        def take(request, batch):
            answers[batch] = batches.positive(request.get_output_tensor(0).data)

        self.queue.set_callback(take)
        plan = self.arrange(ids)
        start = time.perf_counter()
        for batch in plan:
            values, mask = batches.padded(ids, batch)
            self.queue.start_async({"input_ids": values, "attention_mask": mask}, batch)
        self.queue.wait_all()
        return time.perf_counter() - start, answers
