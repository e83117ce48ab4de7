"""The Transformers pipeline in fp32, as the SageMaker Hugging Face container runs it: texts in,
tokenization included, one at a time or in sorted batches."""
import time

import numpy as np
import torch
import transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

from engines import batches

VERSION = f"torch {torch.__version__}, transformers {transformers.__version__}"


class Engine:
    def __init__(self, precision, arrangement, model, work, threads):
        torch.set_num_threads(threads)
        network = AutoModelForSequenceClassification.from_pretrained(str(model)).float().eval()
        self.pipeline = pipeline("text-classification", model=network,
                                 tokenizer=AutoTokenizer.from_pretrained(str(model)),
                                 device="cpu")
        self.batch = {"one by one": 1, "sorted b32": batches.BATCH}[arrangement]

    def run(self, texts, ids):
        """All texts once: (seconds, p of each)."""
        order = batches.sorted_order(ids) if self.batch > 1 else list(range(len(ids)))
        options = {"truncation": True, "max_length": 512}
        start = time.perf_counter()
        if self.batch > 1:
            results = self.pipeline([texts[i] for i in order], batch_size=self.batch, **options)
        else:
            results = [self.pipeline(text, **options)[0] for text in texts]
        seconds = time.perf_counter() - start
        answers = np.zeros(len(ids))
        for i, result in zip(order, results):
            is_positive = result["label"] == "POSITIVE"
            answers[i] = result["score"] if is_positive else 1 - result["score"]
        return seconds, answers
