"""In the place of code/inference.py, for a model without code that the native engine does not run:
a pipeline of Transformers, as AWS's Hugging Face images make it. What goes in and comes out is as
there, too (millrace_worker/huggingface.py)."""
import json
import os

import transformers

TASKS = {
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering",
    "ForMaskedLM": "fill-mask",
    "ForCausalLM": "text-generation",
    "ForConditionalGeneration": "text2text-generation",
}


def task_of(model_dir):
    named = os.environ.get("HF_TASK")
    if named:
        return named
    with open(os.path.join(model_dir, "config.json"), encoding="utf-8") as file:
        architecture = (json.load(file).get("architectures") or ["none"])[0]
    for ending, task in TASKS.items():
        if architecture.endswith(ending):
            return task
    raise ValueError(f"HF_TASK must say what the model is for: its architecture is {architecture}")


def model_fn(model_dir):
    return transformers.pipeline(task_of(model_dir), model=model_dir, tokenizer=model_dir)
