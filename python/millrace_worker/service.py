"""The user's functions behind AWS's own toolkit: signature checks, defaults, decoders, encoders and
error replies are those of `sagemaker_inference.transformer.Transformer`."""
import glob
import logging
import os
import sys
import traceback

from millrace_worker import context as contexts
from millrace_worker import replies


def load(model_folder, index):
    """Imports the user's module and runs its model_fn. Raises what these raise."""
    configure_logging()
    from sagemaker_inference.transformer import Transformer
    from millrace_worker import defaults
    handler = defaults.FrameworkDefaults()
    transformer = Transformer(default_inference_handler=handler)
    handler.transformer = transformer
    service = Service(transformer, system_properties(model_folder, index))
    start = contexts.Context(service.properties, {})
    transformer.validate_and_initialize(model_dir=model_folder, context=start)
    return service


def configure_logging():
    level = os.environ.get("SAGEMAKER_CONTAINER_LOG_LEVEL", "20")
    logging.basicConfig(level=int(level) if level.isdigit() else logging.INFO,
                        format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)


def system_properties(model_folder, index):
    gpus = len(glob.glob("/dev/nvidia[0-9]*"))
    return {"model_dir": model_folder, "gpu_id": index % gpus if gpus else None, "batch_size": 1,
            "server_name": "Millrace", "server_version": "1"}


def statement(service):
    """What Millrace is told once: how much memory a worker takes, and what the code says of itself
    (`execution_parameters_fn`, as in AWS's scikit-learn images)."""
    fields = {"memory": str(own_memory())}
    parameters = getattr(service.user_module(), "execution_parameters_fn", None)
    if parameters is not None:
        try:
            status, _, body = replies.reply(200, "", parameters())
            if status != 200:
                raise ValueError(body.decode("utf-8"))
            fields["parameters"] = body.decode("utf-8")
        except Exception:  # AWS's server answers 500, and SageMaker goes on with its defaults
            logging.exception("execution_parameters_fn failed, so it states nothing")
    return fields


def own_memory():
    """Bytes that another process like this one would need anew."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0


class Service:
    def __init__(self, transformer, properties):
        self._transformer = transformer
        self.properties = properties

    def user_module(self):
        return sys.modules.get(self._transformer._environment.module_name)

    def answer(self, headers, body):
        """(status, content type, body) as AWS's model server would answer."""
        context = contexts.Context(self.properties, headers)
        # The toolkit keeps the first one it sees for ever.
        self._transformer._context = context
        try:
            values = self._transformer.transform([{"body": body}], context)
        except SystemExit:
            raise
        except BaseException as error:  # the toolkit catches Exception, if it has a text
            cause = traceback.format_exception_only(type(error), error)[-1]
            return replies.error(500, cause + traceback.format_exc())
        status, _ = context.get_response_status(0)
        return replies.reply(status, context.get_response_content_type(0), values[0])
