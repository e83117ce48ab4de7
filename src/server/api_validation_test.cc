// Requests against their shapes: AWS's words for each kind of violation, all of them at once.
// tests/e2e compares every member and constraint with botocore's service model.
#include "server/api_validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "server/api_backend.h"
#include "server/api_patterns.h"
#include "server/api_rules.h"

namespace millrace::server {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

json good_job() {
  return json::parse(R"({"TransformJobName": "job-1", "ModelName": "m",
    "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix",
                                                       "S3Uri": "s3://b/in/"}}},
    "TransformOutput": {"S3OutputPath": "s3://b/out"},
    "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1}})");
}

ApiResult<json> check(const json& request, std::string_view operation = "CreateTransformJob") {
  return check_request(request, *find_operation(sagemaker_operations(), operation));
}

std::string failure(const json& request, std::string_view operation = "CreateTransformJob") {
  const auto outcome = check(request, operation);
  return outcome ? "accepted" : outcome.error().code + ": " + outcome.error().message;
}

TEST(ApiValidation, EveryOperationHasAShapeAndAFunction) {
  for (const Operation& operation : sagemaker_operations()) {
    EXPECT_NE(find_sagemaker_entry(operation.name), nullptr) << operation.name;
  }
  for (const Operation& operation : logs_operations()) {
    EXPECT_NE(find_logs_entry(operation.name), nullptr) << operation.name;
  }
}

TEST(ApiValidation, TakesAGoodRequestAndPassesOverNullsAndWhatItDoesNotKnow) {
  json request = good_job();
  request["BatchStrategy"] = nullptr;
  request["FromTheFuture"] = {{"a", 1}};
  request["TransformInput"]["DataSource"]["S3DataSource"]["More"] = 1;
  const auto clean = check(request);
  ASSERT_TRUE(clean) << clean.error().message;
  EXPECT_EQ(*clean, good_job());
}

TEST(ApiValidation, TellsAllViolationsAtOnce) {
  json request = good_job();
  request["TransformJobName"] = "-bad_name-";
  request["TransformInput"].erase("DataSource");
  request["TransformResources"]["InstanceCount"] = 0;
  request["BatchStrategy"] = "Many";
  EXPECT_EQ(
      failure(request),
      "ValidationException: 4 validation errors detected: Value '-bad_name-' at 'transformJobName' "
      "failed to satisfy constraint: Member must satisfy regular expression pattern: "
      "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}; Value 'Many' at 'batchStrategy' failed to satisfy "
      "constraint: Member must satisfy enum value set: [MultiRecord, SingleRecord]; Value null at "
      "'transformInput.dataSource' failed to satisfy constraint: Member must not be null; Value "
      "'0' at 'transformResources.instanceCount' failed to satisfy constraint: Member must have "
      "value greater than or equal to 1");
}

TEST(ApiValidation, NamesElementsOfListsAndMapsAsAwsDoes) {
  json request = good_job();
  request["Tags"] = json::array({{{"Key", ""}, {"Value", "v"}}});
  EXPECT_THAT(failure(request), HasSubstr("Value '' at 'tags.1.member.key' failed to satisfy "
                                          "constraint: Member must have length greater than or "
                                          "equal to 1"));
  request = good_job();
  request["Environment"] = {{"A-B", "x"}};
  EXPECT_THAT(failure(request),
              HasSubstr("at 'environment' failed to satisfy constraint: Map keys must satisfy "
                        "constraint: [Member must have length less than or equal to 1024, Member "
                        "must have length greater than or equal to 0, Member must satisfy regular "
                        "expression pattern: [a-zA-Z_][a-zA-Z0-9_]{0,1023}]"));
  request["Environment"] = {{"A", std::string(10241, 'x')}};
  EXPECT_THAT(failure(request), HasSubstr("Map value must satisfy constraint: ["));
}

TEST(ApiValidation, WrongTypesAreToldBeforeConstraints) {
  json request = good_job();
  request["TransformJobName"] = 7;
  EXPECT_EQ(failure(request),
            "SerializationException: NUMBER_VALUE can not be converted to a String (at "
            "'transformJobName')");
  request = good_job();
  request["MaxPayloadInMB"] = "6";
  EXPECT_THAT(failure(request), HasSubstr("STRING_VALUE can not be converted to an Integer"));
  request["MaxPayloadInMB"] = 6.5;
  EXPECT_THAT(failure(request), HasSubstr("DECIMAL_VALUE can not be converted to an Integer"));
  request["MaxPayloadInMB"] = 3000000000;
  EXPECT_THAT(failure(request), HasSubstr("NUMBER_VALUE can not be converted to an Integer"));
  request = good_job();
  request["TransformInput"] = "s3://b";
  EXPECT_THAT(failure(request), StartsWith("SerializationException: "));
  request["TransformInput"] = json::array();
  EXPECT_THAT(failure(request), HasSubstr("Start of list found where not expected"));
  EXPECT_THAT(failure({{"CreationTimeAfter", "2026-01-01"}}, "ListTransformJobs"),
              HasSubstr("STRING_VALUE can not be converted to milliseconds since epoch"));
}

TEST(ApiValidation, LongAndManyValuesDoNotBlowUpTheMessage) {
  json request = good_job();
  request["TransformJobName"] = std::string(1000000, '\xc3') + "\xa9";
  for (int i = 0; i < 3000; ++i) request["Tags"].push_back({{"Key", "#"}, {"Value", "#"}});
  EXPECT_LT(failure(request).size(), 100000U);
}

TEST(ApiValidation, MalformedHugeAndDeepJsonIsASerializationException) {
  for (const std::string& body :
       {std::string("{"), std::string("[]"), std::string("7"), std::string("{\"a\":1e999}"),
        std::string("{\"a\":\"\xff\"}"), std::string(100000, '['),
        "{\"a\":" + std::string(50000, '{') + "}"}) {
    const auto parsed = parse_request(body);
    ASSERT_FALSE(parsed) << body.substr(0, 20);
    EXPECT_EQ(parsed.error().code, "SerializationException");
  }
  EXPECT_EQ(parse_request("").value(), json::object());
}

TEST(ApiRules, ProductsAndPairsAreChecked) {
  const auto rule = [](const std::string& pointer, const json& value) {
    json request = good_job();
    request[json::json_pointer(pointer)] = value;
    const auto outcome = check_job_rules(request);
    return outcome ? std::string("accepted") : outcome.error().message;
  };
  EXPECT_EQ(rule("/MaxPayloadInMB", 100), "accepted");
  EXPECT_THAT(rule("/MaxPayloadInMB", 101), HasSubstr("MaxPayloadInMB must be less than"));
  EXPECT_THAT(rule("/TransformResources/InstanceCount", 101), HasSubstr("InstanceCount"));
  const std::string type = "/TransformInput/DataSource/S3DataSource/S3DataType";
  EXPECT_EQ(rule(type, "ManifestFile"), "accepted");
  EXPECT_THAT(rule(type, "AugmentedManifestFile"), HasSubstr("not compatible"));
  EXPECT_THAT(rule("/TransformOutput/S3OutputPath", "https://b/x"), HasSubstr("only s3://"));
  json product = good_job();
  product["MaxPayloadInMB"] = 10;
  product["MaxConcurrentTransforms"] = 10;
  EXPECT_TRUE(check_job_rules(product));
  product["MaxConcurrentTransforms"] = 11;
  EXPECT_THAT(check_job_rules(product).error().message, HasSubstr("11 * 10 = 110"));
}

TEST(ApiRules, OneContainerOrSeveralAndNoTagTwice) {
  const json image = {{"Image", "i"}};
  EXPECT_TRUE(check_model_rules({{"PrimaryContainer", image}}));
  EXPECT_TRUE(check_model_rules({{"Containers", json::array({image})}}));
  EXPECT_FALSE(check_model_rules(json::object()));
  EXPECT_FALSE(
      check_model_rules({{"PrimaryContainer", image}, {"Containers", json::array({image})}}));
  json large = {{"PrimaryContainer", image}};
  for (int i = 0; i < 33; ++i) {
    large["PrimaryContainer"]["Environment"]["K" + std::to_string(i)] = std::string(1000, 'x');
  }
  EXPECT_THAT(check_model_rules(large).error().message, HasSubstr("must not exceed 32 KB"));
  const auto tags = [](const char* a, const char* b) {
    return check_tag_rules({{"Tags", {{{"Key", a}, {"Value", ""}}, {{"Key", b}, {"Value", ""}}}}});
  };
  EXPECT_TRUE(tags("a", "b"));
  EXPECT_THAT(tags("a", "a").error().message, HasSubstr("Duplicate tag key"));
  EXPECT_THAT(tags("a", "aws:x").error().message, HasSubstr("aws: prefixed"));
}

struct PatternCase {
  bool (*matches)(std::string_view);
  const char* good;
  const char* bad;
};

TEST(ApiPatterns, KnowTheirEdges) {
  const PatternCase cases[] = {
      {matches_entity_name, "a--b", "a-"},
      {matches_model_name, "a-B9", "-a"},
      {matches_job_environment_key, "_a1", "1a"},
      {matches_line, "", "a\nb"},
      {matches_uri, "s3://b", "s3:///key"},
      {matches_uri, "https://b/c d", "s3://b/c\nd"},
      {matches_uri, "s3://b\n/x", "http://b/x"},
      {matches_kms_key, "arn:aws:kms:x:1:key/a-b_c", "a b"},
      {matches_ami_version, "al2-ami", "al2--ami"},
      {matches_tag, "\xc3\xa9t\xc3\xa9 \xe6\x9c\xac+-=._:/@", "a#b"},
      {matches_tag, "", "\xe2\x82\xac"},
      {matches_name_contains, "-a", ""},
      {matches_image, "a/b:c@d", "a b"},
      {matches_channel, "a.b-_", "a/b"},
      {matches_package, "name/3", "name-/3"},
      {matches_package, "arn:aws:sagemaker:us-east-1:123456789012:model-package/n/1",
       "arn:aws:sagemaker:us-east-1:12345678901:model-package/n/1"},
      {matches_metrics_path, "/metrics", "/a/../b"},
      {matches_role, "arn:aws:iam::123456789012:role/x", "arn:aws:iam::123456789012:user/x"},
      {matches_resource_arn, "arn:aws:sagemaker:us-east-1:123456789012:model/x",
       "arn:aws:s3:us-east-1:123456789012:model/x"},
      {matches_log_group, "/aws/x#_-.", "a b"},
      {matches_log_stream, "a/b c", "a:b"},
  };
  for (const PatternCase& one : cases) {
    EXPECT_TRUE(one.matches(one.good)) << one.good;
    EXPECT_FALSE(one.matches(one.bad)) << one.bad;
  }
  EXPECT_TRUE(matches_entity_name(std::string(63, 'a')));
  EXPECT_FALSE(matches_entity_name(std::string(64, 'a')));
  EXPECT_FALSE(matches_tag("\xff"));
}

}  // namespace
}  // namespace millrace::server
