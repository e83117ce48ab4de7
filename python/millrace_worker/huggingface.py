"""What AWS's Hugging Face images do for functions that the user's code does not have: JSON becomes
dictionaries, lists and texts, and what comes out may hold tensors anywhere."""
import csv
import datetime
import io
import json

from sagemaker_inference import content_types, decoder, encoder, errors, utils


def decode(data, content_type):
    """The request as a Python value."""
    if content_type == content_types.JSON:
        return json.loads(data)
    if content_type == content_types.CSV:
        return decode_csv(data)
    if content_type == content_types.NPY:
        return decoder.decode(data, content_type)
    raise errors.UnsupportedFormatError(content_type)


def decode_csv(text):
    header = text.partition("\n")[0].lower()
    if not any(name in header for name in ("question", "context", "inputs")):
        raise ValueError("text/csv needs a header with a column inputs, question or context")
    rows = list(csv.DictReader(io.StringIO(text)))
    if rows and "inputs" in rows[0]:
        return {"inputs": [row["inputs"] for row in rows]}
    return {"inputs": rows}


def predict(data, model):
    """A pipeline's call."""
    parameters = None
    if isinstance(data, dict):
        data = dict(data)
        parameters = data.pop("parameters", None)
        data = data.pop("inputs", data)
    return model(data, **(parameters or {}))


def encode(prediction, accept):
    """(bytes or text, content type)"""
    for content_type in utils.parse_accept(accept):
        if content_type == content_types.JSON:
            text = json.dumps(prediction, ensure_ascii=False, allow_nan=False, default=plain,
                              separators=(",", ":"))
            return text, content_type
        if content_type == content_types.CSV:
            return encode_csv(prediction), content_type
        if content_type == content_types.NPY:
            return encoder.encode(prediction, content_type), content_type
    raise errors.UnsupportedFormatError(accept)


def encode_csv(prediction):
    rows = prediction if isinstance(prediction, list) else list(prediction)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def plain(value):
    """What JSON has no word for: tensors, arrays, their numbers, times."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, datetime.datetime):
        return str(value)
    raise TypeError(f"a reply holds an object of type {type(value).__name__}")
