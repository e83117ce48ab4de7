"""SageMaker SDK, version 2: model, transformer, wait with logs. Arguments: bucket, name, 'good' or
'bad'."""
import sys

import sagemaker.exceptions
from sagemaker.model import Model

bucket, name, kind = sys.argv[1:]
model = Model(image_uri="763104351884.dkr.ecr.us-east-1.amazonaws.com/"
              "huggingface-pytorch-inference:2.1.0-transformers4.37.0-cpu-py310-ubuntu22.04",
              role="arn:aws:iam::123456789012:role/local", name=f"{name}-model",
              env={"MILLRACE_PRECISION": "fp32"})
transformer = model.transformer(1, "ml.m5.large", strategy="MultiRecord", assemble_with="Line",
                                accept="application/jsonlines",
                                output_path=f"s3://{bucket}/{name}/out")
try:
    transformer.transform(f"s3://{bucket}/{name}/in/", content_type="application/jsonlines",
                          split_type="Line", job_name=name, wait=True, logs=True)
    print("RESULT Completed")
except sagemaker.exceptions.UnexpectedStatusException as error:
    print("RESULT", error)
transformer.stop_transform_job(wait=False)  # of a job that has ended: passed over
transformer.delete_model()
