"""Takes links, HTML and odd spacing out of texts, one a line: the step before a model that labels
them."""
import html
import re

TAG = re.compile(r"<[A-Za-z/!][^<>]*>")
LINK = re.compile(r"https?://\S+|www\.\S+")


def clean(text):
    text = LINK.sub(" ", TAG.sub(" ", text))
    return " ".join(html.unescape(text).split())


def model_fn(model_dir):
    return clean


def input_fn(data, content_type):
    if content_type != "text/plain":
        raise ValueError(f"this step reads text/plain, one text a line, not {content_type}")
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    return text.splitlines()


def predict_fn(texts, model):
    return [model(text) for text in texts]


def output_fn(texts, accept):
    # The second value is the Content-Type that the next step reads.
    return "".join(text + "\n" for text in texts), "text/plain"
