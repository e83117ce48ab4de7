"""What stands in for functions that the user's code does not have. The toolkit's own defaults, and
where these only say "please provide", what AWS's PyTorch, scikit-learn and Hugging Face images do.
Which of them the code was written for is told by what it imports and by its model."""
import glob
import os
import sys

import numpy
from sagemaker_inference import content_types, decoder, encoder, errors, utils
from sagemaker_inference.default_inference_handler import DefaultInferenceHandler

from millrace_worker import huggingface


class FrameworkDefaults(DefaultInferenceHandler):
    transformer = None

    def default_model_fn(self, model_dir, context=None):
        torch = sys.modules.get("torch")
        files = sorted(glob.glob(os.path.join(model_dir, "*.pt"))
                       + glob.glob(os.path.join(model_dir, "*.pth")))
        if torch is None or not files:
            return super().default_model_fn(model_dir)
        named = os.path.join(model_dir, "model.pt")
        if named not in files and len(files) > 1:
            raise ValueError("several .pt and .pth files and no model.pt: give a model_fn")
        path = named if named in files else files[0]
        return torch.jit.load(path, map_location=device(torch))

    def default_input_fn(self, input_data, content_type, context=None):
        torch = self._torch()
        if torch is not None:
            values = decoder.decode(input_data, content_type)
            if content_type in content_types.UTF8_TYPES:
                return torch.FloatTensor(values).to(device(torch))
            return torch.from_numpy(values).to(device(torch))
        if self._huggingface():
            return huggingface.decode(input_data, content_type)
        values = super().default_input_fn(input_data, content_type)
        if self._sklearn() and content_type in content_types.UTF8_TYPES:
            return values.astype("float32")
        return values

    def default_predict_fn(self, data, model, context=None):
        torch = self._torch()
        if torch is not None:
            with torch.no_grad():
                model.to(device(torch)).eval()
                return model(data)
        if self._huggingface() and callable(model):
            return huggingface.predict(data, model)
        if self._sklearn():
            return model.predict(data)
        return super().default_predict_fn(data, model)

    def default_output_fn(self, prediction, accept, context=None):
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(prediction, torch.Tensor):
            prediction = prediction.detach().cpu().numpy()
        elif self._huggingface() and not isinstance(prediction, numpy.ndarray):
            return huggingface.encode(prediction, accept)
        for content_type in utils.parse_accept(accept):
            if content_type in encoder.SUPPORTED_CONTENT_TYPES:
                return encoder.encode(prediction, content_type), content_type
        raise errors.UnsupportedFormatError(accept)

    def _torch(self):
        """Of a model of layers, but for those of Transformers: these take no tensors of floats."""
        torch = sys.modules.get("torch")
        of_transformers = sys.modules.get("transformers.modeling_utils")
        model = self.transformer._model
        if torch is None or not isinstance(model, torch.nn.Module):
            return None
        is_one = of_transformers and isinstance(model, of_transformers.PreTrainedModel)
        return None if is_one else torch

    def _huggingface(self):
        return "transformers" in sys.modules and self._torch() is None

    def _sklearn(self):
        return "sklearn" in sys.modules and hasattr(self.transformer._model, "predict")


def device(torch):
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
