"""AWS's toolkit by itself, with the smallest context that it needs: what the worker is compared
with. Takes requests as JSON lines {headers, body (latin-1)} and answers {status, type, body}.

    python python_reference.py MODEL_FOLDER
"""
import json
import os
import sys
from http import HTTPStatus

MODEL = sys.argv[1]
# Code that prints must not speak between the answers.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
os.environ["SAGEMAKER_BASE_DIR"] = os.path.dirname(MODEL)
sys.path[0] = os.path.join(MODEL, "code")

from sagemaker_inference.transformer import Transformer  # noqa: E402


class Processor:
    def __init__(self, headers):
        self.headers = headers

    def get_request_properties(self):
        return self.headers


class Context:
    system_properties = {"model_dir": MODEL, "gpu_id": None, "batch_size": 1}

    def __init__(self, headers):
        self.request_processor = [Processor(headers)]
        self.status, self.type = HTTPStatus.OK.value, ""

    def set_response_status(self, code, phrase="", idx=0):
        self.status = code

    def set_response_content_type(self, idx, value):
        self.type = value

    def get_request_header(self, idx, key):
        return self.request_processor[idx].headers.get(key)


def main():
    transformer = Transformer()
    try:
        transformer.validate_and_initialize(model_dir=MODEL, context=Context({}))
    except Exception as error:
        print(json.dumps({"failure": f"{type(error).__name__}: {error}"}), file=ANSWERS,
              flush=True)
        return
    for line in sys.stdin:
        request = json.loads(line)
        context = Context(request["headers"])
        transformer._context = context
        value = transformer.transform([{"body": request["body"].encode("latin-1")}], context)[0]
        if isinstance(value, str):
            value = value.encode()
        elif not isinstance(value, bytes):
            value = json.dumps(value, indent=2).encode()  # as the model server of AWS's images
        print(json.dumps({"status": context.status, "type": context.type,
                          "body": value.decode("latin-1")}), file=ANSWERS, flush=True)


main()
