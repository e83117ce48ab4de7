// AWS's JavaScript SDK: create, waiter, describe. Arguments: bucket, name, 'good' or 'bad'.
import { createRequire } from "node:module";
const require = createRequire(process.env.MILLRACE_TEST_JS + "/");
const sm = require("@aws-sdk/client-sagemaker");

const [bucket, name] = process.argv.slice(2);
const client = new sm.SageMakerClient({});
await client.send(new sm.CreateModelCommand({
  ModelName: `${name}-model`, ExecutionRoleArn: "arn:aws:iam::123456789012:role/local",
  PrimaryContainer: { Image: "763104351884.dkr.ecr.us-east-1.amazonaws.com/huggingface-pytorch-inference:2.1.0-transformers4.37.0-cpu-py310-ubuntu22.04" },
}));
await client.send(new sm.CreateTransformJobCommand({
  TransformJobName: name, ModelName: `${name}-model`,
  TransformInput: {
    DataSource: { S3DataSource: { S3DataType: "S3Prefix", S3Uri: `s3://${bucket}/${name}/in/` } },
    ContentType: "application/jsonlines", SplitType: "Line",
  },
  TransformOutput: { S3OutputPath: `s3://${bucket}/${name}/out`, AssembleWith: "Line", Accept: "application/jsonlines" },
  TransformResources: { InstanceType: "ml.m5.large", InstanceCount: 1 },
}));
try {
  await sm.waitUntilTransformJobCompletedOrStopped(
    { client, minDelay: 1, maxDelay: 2, maxWaitTime: 60 }, { TransformJobName: name });
} catch (error) {
  console.log("WAITER", error.name);
}
const job = await client.send(new sm.DescribeTransformJobCommand({ TransformJobName: name }));
console.log("RESULT", job.TransformJobStatus, job.FailureReason ?? "", job.CreationTime instanceof Date);
try {
  await client.send(new sm.CreateTransformJobCommand({ TransformJobName: "a_b" }));
} catch (error) {
  console.log("ERROR", error.name, error.message);
}
