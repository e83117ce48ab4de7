#include "server/described_request.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace millrace::server {
namespace {

using nlohmann::json;

json described(const std::string& request) {
  std::string text = "{" + described_request(request);
  EXPECT_EQ(text.back(), ',') << text;
  text.back() = '}';
  const json out = json::parse(text, nullptr, false);
  EXPECT_TRUE(out.is_object()) << text;
  return out;
}

TEST(DescribedRequest, RepeatsWhatWasGivenAndFillsInWhatSageMakerShows) {
  const json given = {
      {"TransformJobName", "a"},
      {"ModelName", "m"},
      {"BatchStrategy", "MultiRecord"},
      {"MaxPayloadInMB", 6},
      {"Environment", {{"TEXT", "quote \" backslash \\ \u00e9 {\"JoinSource\":1}"}}},
      {"TransformInput",
       {{"DataSource", {{"S3DataSource", {{"S3DataType", "S3Prefix"}, {"S3Uri", "s3://b/i"}}}}},
        {"SplitType", "Line"}}},
      {"TransformOutput", {{"S3OutputPath", "s3://b/o"}, {"KmsKeyId", "k"}}},
      {"TransformResources", {{"InstanceCount", 1}, {"InstanceType", "ml.m4.xlarge"}}},
      {"Tags", json::array({{{"Key", "k"}, {"Value", "v"}}})}};
  json wanted = given;
  wanted.erase("Tags");
  wanted.erase("TransformJobName");
  wanted["DataProcessing"] = {{"InputFilter", "$"}, {"OutputFilter", "$"}, {"JoinSource", "None"}};
  wanted["TransformInput"]["CompressionType"] = "None";
  wanted["TransformOutput"]["AssembleWith"] = "None";
  EXPECT_EQ(described(given.dump()), wanted);
}

TEST(DescribedRequest, WhatIsEmptyGetsEveryDefault) {
  const json wanted = {
      {"DataProcessing", {{"InputFilter", "$"}, {"OutputFilter", "$"}, {"JoinSource", "None"}}},
      {"TransformInput", {{"CompressionType", "None"}, {"SplitType", "None"}}},
      {"TransformOutput", {{"AssembleWith", "None"}, {"KmsKeyId", ""}}},
      {"Environment", json::object()}};
  for (const char* request :
       {"{}", R"({"DataProcessing":{},"TransformInput":{}})", "", "[1", "3"}) {
    EXPECT_EQ(described(request), wanted) << request;
  }
}

}  // namespace
}  // namespace millrace::server
