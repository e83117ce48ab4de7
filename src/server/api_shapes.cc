#include "server/api_shapes.h"

#include "server/api_patterns.h"
#include "server/shape_builders.h"

namespace millrace::server {
namespace {

using Values = std::string_view;

constexpr Shape kBoolean = number(ShapeKind::kBoolean);
constexpr Shape kTimestamp = number(ShapeKind::kTimestamp);
constexpr Shape kFreeText = text(-1, -1);
constexpr Shape kLine256 = text(0, 256, kLinePattern, matches_line);
constexpr Shape kUri = text(0, 1024, kUriPattern, matches_uri);
constexpr Shape kKmsKey = text(0, 2048, kKmsKeyPattern, matches_kms_key);
constexpr Shape kModelName = text(0, 63, kModelNamePattern, matches_model_name);
constexpr Shape kJobName = text(1, 63, kEntityNamePattern, matches_entity_name);
constexpr Shape kNextToken = text(0, 8192, kLinePattern, matches_line);
constexpr Shape kMaxResults = number(ShapeKind::kInteger, 1, 100);
constexpr Values kOnlyNoneAndGzip[] = {"None", "Gzip"};
constexpr Shape kCompression = one_of(kOnlyNoneAndGzip);

constexpr Shape kTagKey = text(1, 128, kTagPattern, matches_tag);
constexpr Shape kTagValue = text(0, 256, kTagPattern, matches_tag);
constexpr ShapeMember kTagMembers[] = {{"Key", &kTagKey, true}, {"Value", &kTagValue, true}};
constexpr Shape kTag = structure(kTagMembers);
constexpr Shape kTags = list_of(kTag, 0, 50);

// --- CreateTransformJob ---

constexpr Shape kCount = number(ShapeKind::kInteger, 0);
constexpr Shape kInvocationTimeout = number(ShapeKind::kInteger, 1, 3600);
constexpr Shape kInvocationRetries = number(ShapeKind::kInteger, 0, 3);
constexpr ShapeMember kModelClientMembers[] = {{"InvocationsTimeoutInSeconds", &kInvocationTimeout},
                                               {"InvocationsMaxRetries", &kInvocationRetries}};
constexpr Shape kModelClient = structure(kModelClientMembers);

constexpr Values kBatchStrategies[] = {"MultiRecord", "SingleRecord"};
constexpr Shape kBatchStrategy = one_of(kBatchStrategies);

constexpr Shape kJobEnvironmentKey =
    text(0, 1024, kJobEnvironmentKeyPattern, matches_job_environment_key);
constexpr Shape kJobEnvironmentValue = text(0, 10240, kAnythingPattern, matches_anything);
constexpr Shape kJobEnvironment = map_of(kJobEnvironmentKey, kJobEnvironmentValue, 16);

constexpr Values kDataTypes[] = {"ManifestFile", "S3Prefix", "AugmentedManifestFile", "Converse"};
constexpr Shape kDataType = one_of(kDataTypes);
constexpr ShapeMember kTransformS3Members[] = {{"S3DataType", &kDataType, true},
                                               {"S3Uri", &kUri, true}};
constexpr Shape kTransformS3 = structure(kTransformS3Members);
constexpr ShapeMember kDataSourceMembers[] = {{"S3DataSource", &kTransformS3, true}};
constexpr Shape kDataSource = structure(kDataSourceMembers);
constexpr Values kSplitTypes[] = {"None", "Line", "RecordIO", "TFRecord"};
constexpr Shape kSplitType = one_of(kSplitTypes);
constexpr ShapeMember kInputMembers[] = {{"DataSource", &kDataSource, true},
                                         {"ContentType", &kLine256},
                                         {"CompressionType", &kCompression},
                                         {"SplitType", &kSplitType}};
constexpr Shape kInput = structure(kInputMembers);

constexpr Values kAssemblies[] = {"None", "Line"};
constexpr Shape kAssembly = one_of(kAssemblies);
constexpr ShapeMember kOutputMembers[] = {{"S3OutputPath", &kUri, true},
                                          {"Accept", &kLine256},
                                          {"AssembleWith", &kAssembly},
                                          {"KmsKeyId", &kKmsKey}};
constexpr Shape kOutput = structure(kOutputMembers);

constexpr ShapeMember kCaptureMembers[] = {
    {"DestinationS3Uri", &kUri, true}, {"KmsKeyId", &kKmsKey}, {"GenerateInferenceId", &kBoolean}};
constexpr Shape kCapture = structure(kCaptureMembers);

constexpr Values kInstanceTypes[] = {
    "ml.m4.xlarge",     "ml.m4.2xlarge",    "ml.m4.4xlarge",    "ml.m4.10xlarge",
    "ml.m4.16xlarge",   "ml.c4.xlarge",     "ml.c4.2xlarge",    "ml.c4.4xlarge",
    "ml.c4.8xlarge",    "ml.p2.xlarge",     "ml.p2.8xlarge",    "ml.p2.16xlarge",
    "ml.p3.2xlarge",    "ml.p3.8xlarge",    "ml.p3.16xlarge",   "ml.c5.xlarge",
    "ml.c5.2xlarge",    "ml.c5.4xlarge",    "ml.c5.9xlarge",    "ml.c5.18xlarge",
    "ml.m5.large",      "ml.m5.xlarge",     "ml.m5.2xlarge",    "ml.m5.4xlarge",
    "ml.m5.12xlarge",   "ml.m5.24xlarge",   "ml.m6i.large",     "ml.m6i.xlarge",
    "ml.m6i.2xlarge",   "ml.m6i.4xlarge",   "ml.m6i.8xlarge",   "ml.m6i.12xlarge",
    "ml.m6i.16xlarge",  "ml.m6i.24xlarge",  "ml.m6i.32xlarge",  "ml.c6i.large",
    "ml.c6i.xlarge",    "ml.c6i.2xlarge",   "ml.c6i.4xlarge",   "ml.c6i.8xlarge",
    "ml.c6i.12xlarge",  "ml.c6i.16xlarge",  "ml.c6i.24xlarge",  "ml.c6i.32xlarge",
    "ml.r6i.large",     "ml.r6i.xlarge",    "ml.r6i.2xlarge",   "ml.r6i.4xlarge",
    "ml.r6i.8xlarge",   "ml.r6i.12xlarge",  "ml.r6i.16xlarge",  "ml.r6i.24xlarge",
    "ml.r6i.32xlarge",  "ml.m7i.large",     "ml.m7i.xlarge",    "ml.m7i.2xlarge",
    "ml.m7i.4xlarge",   "ml.m7i.8xlarge",   "ml.m7i.12xlarge",  "ml.m7i.16xlarge",
    "ml.m7i.24xlarge",  "ml.m7i.48xlarge",  "ml.c7i.large",     "ml.c7i.xlarge",
    "ml.c7i.2xlarge",   "ml.c7i.4xlarge",   "ml.c7i.8xlarge",   "ml.c7i.12xlarge",
    "ml.c7i.16xlarge",  "ml.c7i.24xlarge",  "ml.c7i.48xlarge",  "ml.r7i.large",
    "ml.r7i.xlarge",    "ml.r7i.2xlarge",   "ml.r7i.4xlarge",   "ml.r7i.8xlarge",
    "ml.r7i.12xlarge",  "ml.r7i.16xlarge",  "ml.r7i.24xlarge",  "ml.r7i.48xlarge",
    "ml.g4dn.xlarge",   "ml.g4dn.2xlarge",  "ml.g4dn.4xlarge",  "ml.g4dn.8xlarge",
    "ml.g4dn.12xlarge", "ml.g4dn.16xlarge", "ml.g5.xlarge",     "ml.g5.2xlarge",
    "ml.g5.4xlarge",    "ml.g5.8xlarge",    "ml.g5.12xlarge",   "ml.g5.16xlarge",
    "ml.g5.24xlarge",   "ml.g5.48xlarge",   "ml.trn1.2xlarge",  "ml.trn1.32xlarge",
    "ml.inf2.xlarge",   "ml.inf2.8xlarge",  "ml.inf2.24xlarge", "ml.inf2.48xlarge",
    "ml.g6.xlarge",     "ml.g6.2xlarge",    "ml.g6.4xlarge",    "ml.g6.8xlarge",
    "ml.g6.12xlarge",   "ml.g6.16xlarge",   "ml.g6.24xlarge",   "ml.g6.48xlarge",
    "ml.g6e.xlarge",    "ml.g6e.2xlarge",   "ml.g6e.4xlarge",   "ml.g6e.8xlarge",
    "ml.g6e.12xlarge",  "ml.g6e.16xlarge",  "ml.g6e.24xlarge",  "ml.g6e.48xlarge"};
constexpr Shape kInstanceType = one_of(kInstanceTypes);
constexpr Shape kInstanceCount = number(ShapeKind::kInteger, 1);
constexpr Shape kAmiVersion = text(1, 63, kAmiVersionPattern, matches_ami_version);
constexpr ShapeMember kResourcesMembers[] = {{"InstanceType", &kInstanceType, true},
                                             {"InstanceCount", &kInstanceCount, true},
                                             {"VolumeKmsKeyId", &kKmsKey},
                                             {"TransformAmiVersion", &kAmiVersion}};
constexpr Shape kResources = structure(kResourcesMembers);

constexpr Shape kJsonPath = text(0, 63);
constexpr Values kJoinSources[] = {"Input", "None"};
constexpr Shape kJoinSource = one_of(kJoinSources);
constexpr ShapeMember kProcessingMembers[] = {
    {"InputFilter", &kJsonPath}, {"OutputFilter", &kJsonPath}, {"JoinSource", &kJoinSource}};
constexpr Shape kProcessing = structure(kProcessingMembers);

constexpr Shape kExperimentName = text(1, 120, kExperimentNamePattern, matches_experiment_name);
constexpr ShapeMember kExperimentMembers[] = {{"ExperimentName", &kExperimentName},
                                              {"TrialName", &kExperimentName},
                                              {"TrialComponentDisplayName", &kExperimentName},
                                              {"RunName", &kExperimentName}};
constexpr Shape kExperiment = structure(kExperimentMembers);

constexpr ShapeMember kCreateJobMembers[] = {{"TransformJobName", &kJobName, true},
                                             {"ModelName", &kModelName, true},
                                             {"MaxConcurrentTransforms", &kCount},
                                             {"ModelClientConfig", &kModelClient},
                                             {"MaxPayloadInMB", &kCount},
                                             {"BatchStrategy", &kBatchStrategy},
                                             {"Environment", &kJobEnvironment},
                                             {"TransformInput", &kInput, true},
                                             {"TransformOutput", &kOutput, true},
                                             {"DataCaptureConfig", &kCapture},
                                             {"TransformResources", &kResources, true},
                                             {"DataProcessing", &kProcessing},
                                             {"Tags", &kTags},
                                             {"ExperimentConfig", &kExperiment}};
constexpr Shape kCreateJob = structure(kCreateJobMembers);

// --- the other operations on jobs ---

constexpr ShapeMember kOneJobMembers[] = {{"TransformJobName", &kJobName, true}};
constexpr Shape kOneJob = structure(kOneJobMembers);

constexpr Shape kNameContains = text(0, 63, kNameContainsPattern, matches_name_contains);
constexpr Values kStatuses[] = {"InProgress", "Completed", "Failed", "Stopping", "Stopped"};
constexpr Shape kStatus = one_of(kStatuses);
constexpr Values kJobOrders[] = {"Name", "CreationTime", "Status"};
constexpr Shape kJobOrder = one_of(kJobOrders);
constexpr Values kDirections[] = {"Ascending", "Descending"};
constexpr Shape kDirection = one_of(kDirections);
constexpr ShapeMember kListJobsMembers[] = {{"CreationTimeAfter", &kTimestamp},
                                            {"CreationTimeBefore", &kTimestamp},
                                            {"LastModifiedTimeAfter", &kTimestamp},
                                            {"LastModifiedTimeBefore", &kTimestamp},
                                            {"NameContains", &kNameContains},
                                            {"StatusEquals", &kStatus},
                                            {"SortBy", &kJobOrder},
                                            {"SortOrder", &kDirection},
                                            {"NextToken", &kNextToken},
                                            {"MaxResults", &kMaxResults}};
constexpr Shape kListJobs = structure(kListJobsMembers);

// --- CreateModel ---

constexpr Shape kHostname = text(0, 63, kEntityNamePattern, matches_entity_name);
constexpr Shape kImage = text(0, 255, kImagePattern, matches_image);
constexpr Values kAccessModes[] = {"Platform", "Vpc"};
constexpr Shape kAccessMode = one_of(kAccessModes);
constexpr Shape kProviderArn = text(1, 2048, kLinePattern, matches_line);
constexpr ShapeMember kRepositoryAuthMembers[] = {
    {"RepositoryCredentialsProviderArn", &kProviderArn, true}};
constexpr Shape kRepositoryAuth = structure(kRepositoryAuthMembers);
constexpr ShapeMember kImageConfigMembers[] = {{"RepositoryAccessMode", &kAccessMode, true},
                                               {"RepositoryAuthConfig", &kRepositoryAuth}};
constexpr Shape kImageConfig = structure(kImageConfigMembers);
constexpr Values kContainerModes[] = {"SingleModel", "MultiModel"};
constexpr Shape kContainerMode = one_of(kContainerModes);

constexpr Values kModelDataTypes[] = {"S3Prefix", "S3Object"};
constexpr Shape kModelDataType = one_of(kModelDataTypes);
constexpr ShapeMember kModelAccessMembers[] = {{"AcceptEula", &kBoolean, true}};
constexpr Shape kModelAccess = structure(kModelAccessMembers);
constexpr Shape kHubContentArn = text(0, 255, kLinePattern, matches_line);
constexpr ShapeMember kHubAccessMembers[] = {{"HubContentArn", &kHubContentArn, true}};
constexpr Shape kHubAccess = structure(kHubAccessMembers);
constexpr ShapeMember kS3ModelMembers[] = {{"S3Uri", &kUri, true},
                                           {"S3DataType", &kModelDataType, true},
                                           {"CompressionType", &kCompression, true},
                                           {"ModelAccessConfig", &kModelAccess},
                                           {"HubAccessConfig", &kHubAccess},
                                           {"ManifestS3Uri", &kUri},
                                           {"ETag", &kFreeText},
                                           {"ManifestEtag", &kFreeText}};
constexpr Shape kS3Model = structure(kS3ModelMembers);
constexpr ShapeMember kModelSourceMembers[] = {{"S3DataSource", &kS3Model}};
constexpr Shape kModelSource = structure(kModelSourceMembers);
constexpr Shape kChannel = text(1, 64, kChannelPattern, matches_channel);
constexpr ShapeMember kMoreSourceMembers[] = {{"ChannelName", &kChannel, true},
                                              {"S3DataSource", &kS3Model, true}};
constexpr Shape kMoreSource = structure(kMoreSourceMembers);
constexpr Shape kMoreSources = list_of(kMoreSource, 0, 5);

constexpr Shape kEnvironmentKey = text(0, 1024, kEnvironmentKeyPattern, matches_environment_key);
constexpr Shape kEnvironmentValue = text(0, 1024, kAnythingPattern, matches_anything);
constexpr Shape kEnvironment = map_of(kEnvironmentKey, kEnvironmentValue, 100);
constexpr Shape kPackage = text(1, 176, kPackagePattern, matches_package);
constexpr Values kCacheSettings[] = {"Enabled", "Disabled"};
constexpr Shape kCacheSetting = one_of(kCacheSettings);
constexpr ShapeMember kMultiModelMembers[] = {{"ModelCacheSetting", &kCacheSetting}};
constexpr Shape kMultiModel = structure(kMultiModelMembers);
constexpr Shape kMetricsPath = text(0, 256, kMetricsPathPattern, matches_metrics_path);
constexpr Shape kSeconds = number(ShapeKind::kInteger);
constexpr ShapeMember kMetricsEndpointMembers[] = {{"MetricsEndpointPath", &kMetricsPath, true},
                                                   {"MetricPublishFrequencyInSeconds", &kSeconds}};
constexpr Shape kMetricsEndpoint = structure(kMetricsEndpointMembers);
constexpr Shape kMetricsEndpoints = list_of(kMetricsEndpoint, 0, 1);
constexpr ShapeMember kMetricsMembers[] = {{"MetricsEndpoints", &kMetricsEndpoints}};
constexpr Shape kMetrics = structure(kMetricsMembers);
constexpr ShapeMember kContainerMembers[] = {{"ContainerHostname", &kHostname},
                                             {"Image", &kImage},
                                             {"ImageConfig", &kImageConfig},
                                             {"Mode", &kContainerMode},
                                             {"ModelDataUrl", &kUri},
                                             {"ModelDataSource", &kModelSource},
                                             {"AdditionalModelDataSources", &kMoreSources},
                                             {"Environment", &kEnvironment},
                                             {"ModelPackageName", &kPackage},
                                             {"InferenceSpecificationName", &kJobName},
                                             {"MultiModelConfig", &kMultiModel},
                                             {"ContainerMetricsConfig", &kMetrics}};
constexpr Shape kContainer = structure(kContainerMembers);
constexpr Shape kContainers = list_of(kContainer, 0, 15);

constexpr Values kExecutionModes[] = {"Serial", "Direct"};
constexpr Shape kExecutionMode = one_of(kExecutionModes);
constexpr ShapeMember kExecutionMembers[] = {{"Mode", &kExecutionMode, true}};
constexpr Shape kExecution = structure(kExecutionMembers);
constexpr Shape kRole = text(20, 2048, kRolePattern, matches_role);
constexpr Shape kVpcId = text(0, 32, kVpcIdPattern, matches_name_contains);
constexpr Shape kSecurityGroups = list_of(kVpcId, 1, 5);
constexpr Shape kSubnets = list_of(kVpcId, 1, 16);
constexpr ShapeMember kVpcMembers[] = {{"SecurityGroupIds", &kSecurityGroups, true},
                                       {"Subnets", &kSubnets, true}};
constexpr Shape kVpc = structure(kVpcMembers);
constexpr ShapeMember kCreateModelMembers[] = {{"ModelName", &kModelName, true},
                                               {"PrimaryContainer", &kContainer},
                                               {"Containers", &kContainers},
                                               {"InferenceExecutionConfig", &kExecution},
                                               {"ExecutionRoleArn", &kRole},
                                               {"Tags", &kTags},
                                               {"VpcConfig", &kVpc},
                                               {"EnableNetworkIsolation", &kBoolean}};
constexpr Shape kCreateModel = structure(kCreateModelMembers);

// --- the other operations on models ---

constexpr ShapeMember kOneModelMembers[] = {{"ModelName", &kModelName, true}};
constexpr Shape kOneModel = structure(kOneModelMembers);
constexpr Values kModelOrders[] = {"Name", "CreationTime"};
constexpr Shape kModelOrder = one_of(kModelOrders);
constexpr Shape kModelNameContains = text(0, 63, kModelNameContainsPattern, matches_name_contains);
constexpr ShapeMember kListModelsMembers[] = {{"SortBy", &kModelOrder},
                                              {"SortOrder", &kDirection},
                                              {"NextToken", &kNextToken},
                                              {"MaxResults", &kMaxResults},
                                              {"NameContains", &kModelNameContains},
                                              {"CreationTimeBefore", &kTimestamp},
                                              {"CreationTimeAfter", &kTimestamp}};
constexpr Shape kListModels = structure(kListModelsMembers);

// --- tags ---

constexpr Shape kResourceArn = text(0, 256, kResourceArnPattern, matches_resource_arn);
constexpr ShapeMember kAddTagsMembers[] = {{"ResourceArn", &kResourceArn, true},
                                           {"Tags", &kTags, true}};
constexpr Shape kAddTags = structure(kAddTagsMembers);
constexpr Shape kTagResults = number(ShapeKind::kInteger, 50);
constexpr ShapeMember kListTagsMembers[] = {
    {"ResourceArn", &kResourceArn, true}, {"NextToken", &kNextToken}, {"MaxResults", &kTagResults}};
constexpr Shape kListTags = structure(kListTagsMembers);
constexpr Shape kTagKeys = list_of(kTagKey, 1, 50);
constexpr ShapeMember kDeleteTagsMembers[] = {{"ResourceArn", &kResourceArn, true},
                                              {"TagKeys", &kTagKeys, true}};
constexpr Shape kDeleteTags = structure(kDeleteTagsMembers);

constexpr Operation kSageMaker[] = {{"CreateTransformJob", &kCreateJob},
                                    {"DescribeTransformJob", &kOneJob},
                                    {"ListTransformJobs", &kListJobs},
                                    {"StopTransformJob", &kOneJob},
                                    {"CreateModel", &kCreateModel},
                                    {"DescribeModel", &kOneModel},
                                    {"ListModels", &kListModels},
                                    {"DeleteModel", &kOneModel},
                                    {"AddTags", &kAddTags},
                                    {"ListTags", &kListTags},
                                    {"DeleteTags", &kDeleteTags}};

}  // namespace

std::span<const Operation> sagemaker_operations() {
  return kSageMaker;
}

const Shape* find_operation(std::span<const Operation> operations, std::string_view name) {
  for (const Operation& operation : operations) {
    if (operation.name == name) return operation.input;
  }
  return nullptr;
}

}  // namespace millrace::server
