"""A model as SageMaker's ModelBuilder packs it: the handler script is the one that the SDK brings.
Argument: the folder to make."""
import pathlib
import sys

from sagemaker.serve.builder.schema_builder import SchemaBuilder
from sagemaker.serve.detector.pickler import save_pkl
from sagemaker.serve.model_server.multi_model_server.prepare import prepare_for_mms
from sagemaker.serve.spec.inference_spec import InferenceSpec


class Weighted(InferenceSpec):
    """Sums of rows; what the code itself stands in is no part of the model."""

    def load(self, model_dir):
        return [float(line) for line in open(f"{model_dir}/weights.txt", encoding="utf-8")]

    def preprocess(self, input_data):
        return input_data["rows"]

    def invoke(self, input_object, model):
        return [sum(a * b for a, b in zip(row, model)) for row in input_object]

    def postprocess(self, predictions):
        return {"sums": predictions}


folder = pathlib.Path(sys.argv[1])
(folder / "code").mkdir(parents=True)
(folder / "weights.txt").write_text("0.5\n-1\n2\n", encoding="utf-8")
spec = Weighted()
schema = SchemaBuilder({"rows": [[1, 2, 3]]}, {"sums": [1.5]})
save_pkl(folder / "code", (spec, schema))
prepare_for_mms(str(folder), [], {"auto": False}, None, "", spec)
# It asks for the SDK, which SageMaker's images have.
(folder / "code" / "requirements.txt").unlink()
