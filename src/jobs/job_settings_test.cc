// Settings: who wins, what is refused and how it is said, and what names tell of formats.
#include "jobs/job_settings.h"

#include <gtest/gtest.h>

#include "jobs/api_request.h"
#include "jobs/locations.h"

namespace millrace::jobs {
namespace {

std::string merged(const SettingLayers& layers, const std::string& name) {
  const auto settings = merge_settings(layers);
  if (!settings) return "error: " + settings.error().message;
  return setting_value(*settings, name).value_or("(unset)");
}

TEST(MergeSettings, FlagThenJobThenMembersThenModelThenProcess) {
  SettingLayers layers;
  layers.process_environment["MILLRACE_SPLIT_TYPE"] = "process";
  EXPECT_EQ(merged(layers, "SPLIT_TYPE"), "process");
  layers.model_environment["MILLRACE_SPLIT_TYPE"] = "model";
  EXPECT_EQ(merged(layers, "SPLIT_TYPE"), "model");
  layers.api_members["SPLIT_TYPE"] = "member";
  EXPECT_EQ(merged(layers, "SPLIT_TYPE"), "member");
  layers.job_environment["MILLRACE_SPLIT_TYPE"] = "job";
  EXPECT_EQ(merged(layers, "SPLIT_TYPE"), "job");
  layers.flags["SPLIT_TYPE"] = "flag";
  EXPECT_EQ(merged(layers, "SPLIT_TYPE"), "flag");
}

TEST(MergeSettings, OptionsObjectHoldsManySettingsInOneVariable) {
  SettingLayers layers;
  layers.job_environment["MILLRACE_OPTIONS"] =
      R"({"TEXT_COLUMN":"text","MILLRACE_CSV":"rfc4180","csv-header":true})";
  EXPECT_EQ(merged(layers, "TEXT_COLUMN"), "text");
  EXPECT_EQ(merged(layers, "CSV"), "rfc4180");
  EXPECT_EQ(merged(layers, "CSV_HEADER"), "true");
  layers.job_environment["MILLRACE_CSV"] = "line";
  EXPECT_EQ(merged(layers, "CSV"), "line");
  layers.job_environment["MILLRACE_OPTIONS"] = "[1]";
  EXPECT_NE(merged(layers, "CSV").find("expected a JSON object"), std::string::npos);
}

TEST(MergeSettings, AStepsEnvironmentIsWhereAModelsIs) {
  SettingLayers layers;
  layers.steps = {{"", "one", "", {{"MILLRACE_TEXT_COLUMN", "a"}, {"OTHER", "x"}}},
                  {"", "two", "image", {{"MILLRACE_OPTIONS", R"({"PRECISION":"int8"})"}}}};
  const auto of_step = [&](size_t step, const std::string& name) {
    const auto settings = merge_step_settings(layers, step);
    if (!settings) return "error: " + settings.error().message;
    return setting_value(*settings, name).value_or("(unset)");
  };
  EXPECT_EQ(of_step(0, "MODEL"), "one");
  EXPECT_EQ(of_step(1, "MODEL"), "two");
  EXPECT_EQ(of_step(1, "IMAGE"), "image");
  EXPECT_EQ(of_step(0, "TEXT_COLUMN"), "a");
  EXPECT_EQ(of_step(1, "TEXT_COLUMN"), "(unset)");
  EXPECT_EQ(of_step(1, "PRECISION"), "int8");
  EXPECT_EQ(merged(layers, "TEXT_COLUMN"), "(unset)");  // not the job's
  layers.process_environment = {{"MILLRACE_TEXT_COLUMN", "process"}, {"MILLRACE_MODEL", "other"}};
  EXPECT_EQ(of_step(0, "TEXT_COLUMN"), "a");
  EXPECT_EQ(of_step(1, "TEXT_COLUMN"), "process");
  EXPECT_EQ(of_step(1, "MODEL"), "two");
  layers.job_environment["MILLRACE_TEXT_COLUMN"] = "job";
  EXPECT_EQ(of_step(0, "TEXT_COLUMN"), "job");
}

TEST(MergeSettings, AStepHasNoSettingOfTheJobNorOfAMachineThatIsNotItsUsers) {
  SettingLayers layers;
  layers.steps = {{"", "one", "", {}}, {"", "two", "", {{"MILLRACE_SPLIT_TYPE", "Line"}}}};
  EXPECT_TRUE(merge_step_settings(layers, 0));
  const auto refused = merge_step_settings(layers, 1);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("MILLRACE_SPLIT_TYPE in the Environment of step 2: is a "
                                         "setting of the whole job"),
            std::string::npos);
  layers.steps[1].environment = {{"MILLRACE_MODEL_COMMAND", "x"}};
  EXPECT_FALSE(merge_step_settings(layers, 1));
  layers.local_steps = true;
  EXPECT_TRUE(merge_step_settings(layers, 1));
}

TEST(MergeSettings, RefusesUnknownAndMisplacedNames) {
  SettingLayers layers;
  layers.job_environment["MILLRACE_TRESHOLDS"] = "{}";
  EXPECT_NE(merged(layers, "CSV").find("MILLRACE_TRESHOLDS in the job's Environment: there is no"),
            std::string::npos);
  layers.job_environment = {{"MILLRACE_THREADS", "4"}, {"HF_TASK", "text-classification"}};
  EXPECT_NE(merged(layers, "CSV").find("belongs to the machine"), std::string::npos);
  layers.job_environment = {{"HF_TASK", "text-classification"}};
  EXPECT_EQ(merged(layers, "CSV"), "(unset)");
}

// --output is where the results go, MILLRACE_OUTPUT their shape: neither may be taken for the
// other.
TEST(MergeSettings, TheOutputFlagAndTheOutputVariableAreTwoSettings) {
  SettingLayers layers;
  layers.flags["OUTPUT"] = "labelled/";
  layers.job_environment["MILLRACE_OUTPUT"] = "columns";
  const auto merged_settings = merge_settings(layers);
  ASSERT_TRUE(merged_settings.has_value()) << merged_settings.error().message;
  const auto settings = check_settings(*merged_settings, 1);
  ASSERT_TRUE(settings.has_value()) << settings.error().message;
  EXPECT_EQ(settings->output, "labelled/");
  EXPECT_EQ(settings->native.at("OUTPUT"), "columns");
  EXPECT_EQ(flag_name("OUTPUT_SHAPE"), "--output-shape");
  EXPECT_EQ(variable_name("OUTPUT_SHAPE"), "MILLRACE_OUTPUT");
  layers.job_environment.clear();
  EXPECT_EQ(check_settings(*merge_settings(layers), 1)->native.count("OUTPUT"), 0U);
}

TEST(CheckSettings, MessagesCallANativeSettingAsItWasMadeOrWouldBe) {
  SettingLayers layers;
  layers.flags = {{"INPUT", "in"}, {"OUTPUT_SHAPE", "columns"}};
  layers.process_environment = {{"MILLRACE_EMPTY", "error"}};
  const auto settings = check_settings(*merge_settings(layers), 1);
  ASSERT_TRUE(settings.has_value());
  EXPECT_EQ(settings->native_written.at("OUTPUT"), "--output-shape");
  EXPECT_EQ(settings->native_written.at("EMPTY"), "MILLRACE_EMPTY");
  EXPECT_EQ(settings->native_written.at("CLEAN"), "--clean (MILLRACE_CLEAN)");
  // The service has no flags to speak of.
  layers.flags.clear();
  layers.api_members = {{"INPUT", "s3://b/in"}};
  EXPECT_EQ(check_settings(*merge_settings(layers), 1)->native_written.at("CLEAN"),
            "MILLRACE_CLEAN");
}

Result<JobSettings> checked(const Variables& flags) {
  SettingLayers layers;
  layers.flags = flags;
  const auto settings = merge_settings(layers);
  if (!settings) return fail(settings.error());
  return check_settings(*settings, 2);
}

TEST(CheckSettings, NamesSettingValueAndWhatIsAllowed) {
  EXPECT_EQ(checked({{"SPLIT_TYPE", "line"}}).error().message,
            std::string("--split-type: 'line' is not allowed; use ") +
                find_job_option("SPLIT_TYPE")->values);
  EXPECT_EQ(checked({{"THREADS", "0"}}).error().message,
            "--threads: '0' is not allowed; use a whole number from 1 to 1024");
  EXPECT_FALSE(checked({{"JOB_NAME", "-x"}}));
  EXPECT_FALSE(checked({{"JOB_NAME", "a_b"}}));
  EXPECT_TRUE(checked({{"JOB_NAME", "a--b1"}}));
  EXPECT_FALSE(checked({{"MAX_PAYLOAD_IN_MB", "101"}}));
  EXPECT_FALSE(checked({{"MAX_PAYLOAD_IN_MB", "20"}, {"MAX_CONCURRENT_TRANSFORMS", "6"}}));
  EXPECT_TRUE(checked({{"MAX_PAYLOAD_IN_MB", "20"}, {"MAX_CONCURRENT_TRANSFORMS", "5"}}));
}

// An empty variable of a script must not run the default model instead of the one that it meant.
TEST(CheckSettings, WhatNamesAModelIsNotEmpty) {
  for (const char* const name : {"MODEL", "MODEL_COMMAND", "MODEL_IMAGE"}) {
    const auto refused = checked({{name, ""}});
    ASSERT_FALSE(refused) << name;
    EXPECT_NE(refused.error().message.find(flag_name(name) + ": '' is not allowed"),
              std::string::npos)
        << refused.error().message;
  }
}

TEST(CheckSettings, TakesDelimitersOfOneCharacterAndTab) {
  EXPECT_EQ(checked({{"CSV_DELIMITER", ";"}})->csv_delimiter, ';');
  EXPECT_EQ(checked({{"CSV_DELIMITER", "|"}})->csv_delimiter, '|');
  for (const char* tab : {"tab", "\\t", "\t"}) {
    EXPECT_EQ(checked({{"CSV_DELIMITER", tab}})->csv_delimiter, '\t');
  }
  for (const char* bad : {"", "\"", "\n", ";;", "\xC3\xA9"}) {
    EXPECT_FALSE(checked({{"CSV_DELIMITER", bad}})) << bad;
  }
}

TEST(CheckSettings, TakesTheWordsOfInputs) {
  EXPECT_EQ(checked({{"ENCODING", "cp1258"}})->encoding, record::TextEncoding::kCp1258);
  EXPECT_FALSE(checked({{"ENCODING", "latin1"}}));
  EXPECT_EQ(checked({{"COMPRESSION_TYPE", "Gzip"}})->compression_type,
            record::CompressionType::kGzip);
  EXPECT_FALSE(checked({{"COMPRESSION_TYPE", "gzip"}}));
  EXPECT_TRUE(checked({{"DATA_TYPE", "ManifestFile"}})->is_manifest);
  EXPECT_FALSE(checked({{"DATA_TYPE", "AugmentedManifestFile"}}));
}

TEST(InferFormat, AFinalGzSaysHowTheObjectIsStored) {
  const JobSettings settings = *checked({});
  const auto csv = infer_format(settings, {"a.csv.gz", "b.CSV.GZ"});
  ASSERT_TRUE(csv);
  EXPECT_EQ(csv->content_type, "text/csv");
  EXPECT_EQ(csv->compression_type, record::CompressionType::kGzip);
  EXPECT_EQ(infer_format(settings, {"a.csv"})->compression_type, record::CompressionType::kNone);
  const auto mixed = infer_format(settings, {"a.csv", "b.csv.gz"});
  ASSERT_FALSE(mixed);
  EXPECT_NE(mixed.error().message.find("1 .csv, 1 .csv.gz"), std::string::npos);
  EXPECT_FALSE(infer_format(settings, {"a.gz"}));
  const JobSettings stated = *checked({{"COMPRESSION_TYPE", "Gzip"}});
  EXPECT_EQ(infer_format(stated, {"a.csv", "b.csv.gz"})->compression_type,
            record::CompressionType::kGzip);
}

TEST(CheckFormat, SaysWhatDoesNotGoTogether) {
  const auto refused = [](const Variables& flags, const char* key) {
    const auto format = infer_format(*checked(flags), {key});
    if (!format) return format.error().message;
    const Status status = check_format(*format);
    return status ? std::string() : status.error().message;
  };
  EXPECT_EQ(refused({{"SPLIT_TYPE", "JsonArray"}}, "a.json"), "");
  EXPECT_EQ(refused({{"SPLIT_TYPE", "JsonArray"}, {"JOIN_SOURCE", "Input"}}, "a.json"), "");
  EXPECT_NE(refused({{"SPLIT_TYPE", "JsonArray"}}, "a.csv"), "");
  EXPECT_NE(refused({{"CSV_BOM", "1"}}, "a.jsonl"), "");
  EXPECT_EQ(refused({{"CSV_BOM", "1"}}, "a.tsv"), "");
  EXPECT_NE(refused({{"ENCODING", "cp1252"}, {"SPLIT_TYPE", "TFRecord"}}, "a.txt"), "");
  EXPECT_NE(
      refused({{"JOIN_SOURCE", "Input"}, {"SPLIT_TYPE", "RecordIO"}, {"ASSEMBLE_WITH", "None"}},
              "a.csv"),
      "");
}

TEST(CheckSettings, AnErrorThresholdIsANumberOrAShare) {
  Settings settings;
  settings["ON_RECORD_ERROR"] = {"record", "--on-record-error"};
  const auto rules = [&](const char* text) {
    settings["ERROR_THRESHOLD"] = {text, "--error-threshold"};
    return check_settings(settings, 1);
  };
  EXPECT_EQ(rules("0")->record_errors.count_max, 0U);
  EXPECT_EQ(rules("12")->record_errors.count_max, 12U);
  EXPECT_EQ(rules("0.5%")->record_errors.percent_max, 0.5);
  EXPECT_EQ(rules("100%")->record_errors.percent_max, 100.0);
  for (const char* wrong :
       {"", "%", "-1", "1e3", "101%", "1.2.3%", "0.5", "99999999999999999999"}) {
    const auto refused = rules(wrong);
    ASSERT_FALSE(refused) << wrong;
    EXPECT_NE(refused.error().message.find("--error-threshold"), std::string::npos);
  }
  settings["ON_RECORD_ERROR"] = {"fail", "--on-record-error"};
  EXPECT_FALSE(rules("5"));
}

TEST(InferFormat, FollowsTheNames) {
  const JobSettings settings = *checked({});
  const auto csv = infer_format(settings, {"a/x.csv", "y.CSV"});
  ASSERT_TRUE(csv);
  EXPECT_EQ(csv->content_type, "text/csv");
  EXPECT_EQ(csv->accept, "text/csv");
  EXPECT_TRUE(csv->csv.rfc4180);
  EXPECT_EQ(csv->split_type, record::SplitType::kLine);
  EXPECT_EQ(infer_format(settings, {"x.tsv"})->csv.delimiter, '\t');
  EXPECT_EQ(infer_format(settings, {"x.txt"})->accept, "text/csv");
  EXPECT_EQ(infer_format(settings, {"x.json"})->split_type, record::SplitType::kNone);
  EXPECT_EQ(infer_format(settings, {"x.ndjson"})->content_type, "application/jsonlines");
}

TEST(InferFormat, ObjectsThatDisagreeAreCounted) {
  const JobSettings settings = *checked({});
  const auto mixed = infer_format(settings, {"a.csv", "b.jsonl", "c.csv", "d"});
  ASSERT_FALSE(mixed);
  EXPECT_NE(mixed.error().message.find("1 without extension, 2 .csv, 1 .jsonl"), std::string::npos);
  EXPECT_FALSE(infer_format(settings, {"unknown.bin"}));
}

TEST(InferFormat, WhatIsStatedWins) {
  const JobSettings stated = *checked({{"CONTENT_TYPE", "application/json"}, {"CSV", "line"}});
  const auto format = infer_format(stated, {"x.jsonl"});
  ASSERT_TRUE(format);
  EXPECT_EQ(format->content_type, "application/json");
  EXPECT_EQ(format->accept, "application/json");
  EXPECT_EQ(format->split_type, record::SplitType::kLine);
  const JobSettings whole =
      *checked({{"CONTENT_TYPE", "text/csv"}, {"SPLIT_TYPE", "Line"}, {"ASSEMBLE_WITH", "Line"}});
  EXPECT_TRUE(infer_format(whole, {"a.csv", "b.jsonl"}));
  EXPECT_TRUE(infer_format(whole, {"a.csv"})->csv.rfc4180);
}

TEST(CheckFormat, JoinsNeedEqualTypes) {
  record::DataFormat format;
  format.content_type = "application/jsonlines";
  format.accept = "text/csv";
  format.join_source = record::JoinSource::kInput;
  EXPECT_FALSE(check_format(format));
  format.accept = "application/jsonlines";
  format.split_type = record::SplitType::kLine;
  EXPECT_FALSE(check_format(format));
  format.assemble_with = record::AssembleWith::kLine;
  EXPECT_TRUE(check_format(format));
}

TEST(ApiRequest, StatesMembersByOptionName) {
  const auto request = parse_api_request(R"({"TransformJobName":"j","ModelName":"m",
    "MaxPayloadInMB":1,"Environment":{"MILLRACE_TEXT_COLUMN":"text"},
    "TransformInput":{"DataSource":{"S3DataSource":{"S3DataType":"S3Prefix",
      "S3Uri":"s3://bucket/i"}},
      "ContentType":"text/csv","SplitType":"Line","CompressionType":"None"},
    "TransformOutput":{"S3OutputPath":"s3://bucket/o","AssembleWith":"Line"},
    "TransformResources":{"InstanceType":"ml.m5.large","InstanceCount":1}})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->members.at("INPUT"), "s3://bucket/i");
  EXPECT_EQ(request->members.at("MAX_PAYLOAD_IN_MB"), "1");
  EXPECT_EQ(request->environment.at("MILLRACE_TEXT_COLUMN"), "text");
  EXPECT_FALSE(parse_api_request(R"({"TransformJobNme":"j"})"));
  const auto gzip = parse_api_request(R"({"TransformInput":{"CompressionType":"Gzip",
    "DataSource":{"S3DataSource":{"S3DataType":"ManifestFile"}}}})");
  ASSERT_TRUE(gzip) << gzip.error().message;
  EXPECT_EQ(gzip->members.at("COMPRESSION_TYPE"), "Gzip");
  EXPECT_EQ(gzip->members.at("DATA_TYPE"), "ManifestFile");
  EXPECT_FALSE(parse_api_request("[]"));
}

TEST(ApiRequest, RefusesValuesOfOursInTheApisMember) {
  const auto request = parse_api_request(R"({"TransformInput":{"SplitType":"JsonArray"}})");
  ASSERT_FALSE(request);
  EXPECT_NE(request.error().message.find("set MILLRACE_SPLIT_TYPE=JsonArray in Environment"),
            std::string::npos);
  EXPECT_TRUE(parse_api_request(R"({"TransformInput":{"SplitType":"TFRecord"}})"));
}

TEST(Locations, AManifestsPrefixIsFoundFromWhereTheManifestLies) {
  const InputLocation local = input_location("/tmp").value();
  EXPECT_EQ(manifest_location("s3://bucket/a/b-", local)->prefix, "a/b-");
  EXPECT_EQ(manifest_location("/usr/li", local)->root.path, "/usr");
  EXPECT_EQ(manifest_location("/usr/li", local)->prefix, "li");
  EXPECT_EQ(manifest_location("./", local)->root.path, "/tmp");
  EXPECT_FALSE(manifest_location("", local));
  EXPECT_FALSE(manifest_location("no-such-folder/", local));
  const InputLocation remote = input_location("s3://bucket/list.json").value();
  EXPECT_FALSE(manifest_location("/etc/", remote));
  EXPECT_EQ(manifest_location("s3://other/x/", remote)->root.bucket, "other");
}

TEST(Locations, OutputEqualToInputIsRefused) {
  const auto same = [](const std::string& in, const std::string& out, bool single) {
    return !check_apart(input_location(in).value(), output_location(out, single).value(), out);
  };
  EXPECT_TRUE(same("s3://bucket/data/", "s3://bucket/data", false));
  EXPECT_FALSE(same("s3://bucket/data/", "s3://bucket/other", false));
  EXPECT_FALSE(same("s3://bucket/data/", "s3://other/data", false));
  EXPECT_TRUE(same("/tmp", "/tmp/../tmp/", false));
}

TEST(Locations, AnExtensionNamesTheOneOutput) {
  EXPECT_TRUE(output_location("s3://bucket/x/out.csv", true)->is_object);
  EXPECT_FALSE(output_location("s3://bucket/x/out.csv", false)->is_object);
  EXPECT_EQ(output_location("s3://bucket/x", true)->prefix, "x/");
  EXPECT_EQ(output_location("s3://bucket", true)->prefix, "");
}

std::string filters_of(Variables flags) {
  const auto settings = checked(flags);
  if (!settings) return "error: " + settings.error().message;
  auto format = infer_format(*settings, {"a.csv"});
  if (!format) return "error: " + format.error().message;
  if (Status taken = take_filters(*settings, &*format); !taken) {
    return "error: " + taken.error().message;
  }
  return format->input_filter.text + " " + format->output_filter.text;
}

TEST(Filters, AreReadForTheTypesOfRecordsAndResults) {
  EXPECT_EQ(filters_of({}), "$ $");
  EXPECT_EQ(filters_of({{"INPUT_FILTER", "$[1:]"}, {"OUTPUT_FILTER", "$[0,-1]"}}), "$[1:] $[0,-1]");
  EXPECT_EQ(filters_of({{"OUTPUT_FILTER", "$.label"}, {"ACCEPT", "application/jsonlines"}}),
            "$ $.label")
      << "without a join, results may be of another type";
  EXPECT_EQ(
      filters_of({{"INPUT_FILTER", "$.a_b"}, {"JSON_PATH", "extended"}, {"CSV_HEADER", "true"}}),
      "$.a_b $");
}

TEST(Filters, AreRefusedBeforeWorkStarts) {
  EXPECT_EQ(filters_of({{"INPUT_FILTER", "$.id"}}).substr(0, 55),
            "error: Invalid InputFilter: \"$.id\". Unexpected \"i\" in J");
  EXPECT_NE(filters_of({{"INPUT_FILTER", "$.a"}, {"JSON_PATH", "extended"}}).find("--csv-header"),
            std::string::npos);
  EXPECT_NE(filters_of({{"INPUT_FILTER", "$[0:2,5]"}}).find("only single range filters"),
            std::string::npos);
  EXPECT_NE(
      filters_of({{"INPUT_FILTER", "$[0]"}, {"SPLIT_TYPE", "None"}, {"ASSEMBLE_WITH", "None"}})
          .find("--split-type Line"),
      std::string::npos);
  EXPECT_NE(filters_of({{"INPUT_FILTER", "$[0]"}, {"CONTENT_TYPE", "text/plain"}})
                .find("the content type is 'text/plain'"),
            std::string::npos);
  EXPECT_NE(filters_of({{"JSON_PATH", "jayway"}}).find("sagemaker, extended"), std::string::npos);
}

TEST(DataCapture, MembersBecomeSettings) {
  const auto request = parse_api_request(R"({
    "DataCaptureConfig":{"DestinationS3Uri":"s3://b/c","KmsKeyId":"k","GenerateInferenceId":true},
    "TransformOutput":{"KmsKeyId":"arn:aws:kms:eu-west-1:123456789012:key/0a-b"}})");
  ASSERT_TRUE(request.has_value()) << request.error().message;
  SettingLayers layers;
  layers.api_members = request->members;
  const auto settings = check_settings(*merge_settings(layers), 1);
  ASSERT_TRUE(settings.has_value()) << settings.error().message;
  EXPECT_TRUE(settings->generate_inference_id);
  EXPECT_EQ(settings->data_capture_destination, "s3://b/c");
  EXPECT_EQ(settings->data_capture_kms_key_id, "k");
  EXPECT_EQ(settings->kms_key_id, "arn:aws:kms:eu-west-1:123456789012:key/0a-b");
  EXPECT_FALSE(checked({{"KMS_KEY_ID", "a key"}}).has_value());
}

TEST(Filters, AreMembersOfDataProcessing) {
  const auto request = parse_api_request(
      R"({"DataProcessing":{"InputFilter":"$.a","OutputFilter":"$['b']","JoinSource":"Input"}})");
  ASSERT_TRUE(request.has_value()) << request.error().message;
  EXPECT_EQ(request->members.at("INPUT_FILTER"), "$.a");
  EXPECT_EQ(request->members.at("OUTPUT_FILTER"), "$['b']");
}

}  // namespace
}  // namespace millrace::jobs
