"""A scikit-learn model behind SageMaker's four functions: texts as JSON Lines, labels as CSV."""
import json
import os

import joblib


def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "model.joblib"))


def input_fn(data, content_type):
    if content_type not in ("application/json", "application/jsonlines"):
        raise ValueError(f"Content-Type {content_type}: this model reads JSON Lines")
    text = data if isinstance(data, str) else data.decode()
    return [json.loads(line)["review"] for line in text.splitlines() if line.strip()]


def predict_fn(reviews, model):
    return zip(model.predict(reviews), model.predict_proba(reviews).max(axis=1))


def output_fn(predictions, accept):
    return "".join(f"{label},{score:.4f}\n" for label, score in predictions), "text/csv"
