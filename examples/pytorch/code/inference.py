"""A PyTorch model behind SageMaker's functions: rows of numbers as CSV, a score for each."""
import io
import os

import torch


def model_fn(model_dir):
    model = torch.jit.load(os.path.join(model_dir, "model.pth"), map_location="cpu")
    return model.eval()


def input_fn(data, content_type):
    if content_type != "text/csv":
        raise ValueError(f"Content-Type {content_type}: this model reads text/csv")
    text = data if isinstance(data, str) else data.decode()
    rows = [[float(field) for field in line.split(",")] for line in io.StringIO(text)]
    return torch.tensor(rows)


def predict_fn(rows, model):
    with torch.no_grad():
        return model(rows)


def output_fn(scores, accept):
    return "".join(f"{score:.6f}\n" for score in scores.flatten().tolist()), "text/csv"
