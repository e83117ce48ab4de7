// Signatures of callers: AWS's own test suite signed rightly and wrongly, and each way to be wrong.
#include "server/request_auth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/digest.h"
#include "base/sigv4.h"

namespace millrace::server {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr char kAccessKey[] = "AKIDEXAMPLE";
constexpr char kSecret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const AccessKeys kKeys = {{kAccessKey, kSecret}, {"OTHER", "another secret"}};

WallTime at(const std::string& text) {
  return *parse_iso8601(text);
}

ServerRequest describe(const std::string& time = "20150830T123600Z") {
  ServerRequest request;
  request.method = "POST";
  request.path = "/";
  request.body = R"({"TransformJobName":"j"})";
  request.headers = {{"Host", "127.0.0.1:8800"},
                     {"X-Amz-Date", time},
                     {"X-Amz-Target", "SageMaker.DescribeTransformJob"},
                     {"Content-Type", "application/x-amz-json-1.1"}};
  return request;
}

SigningKeys signing_keys;

// Adds the Authorization header for all headers there are.
ServerRequest signed_with(ServerRequest request, const SigV4Key& key = {kAccessKey, kSecret},
                          SigV4Scope scope = {"20150830", "us-east-1", "sagemaker"}) {
  const SigV4Request what{request.method, request.path, request.query, request.headers,
                          sha256_hex(request.body)};
  const std::string time(request.header("x-amz-date"));
  request.headers.emplace_back("Authorization",
                               sigv4_authorization(what, SigV4Path::kNormalized, key, time, scope));
  return request;
}

ApiResult<std::string> check(const ServerRequest& request,
                             const std::string& now = "2015-08-30T12:36:00Z") {
  return authenticate(request, kKeys, {"sagemaker", "us-east-1", false, true}, at(now),
                      &signing_keys);
}

std::string failure(const ServerRequest& request, const std::string& now = "2015-08-30T12:36:00Z") {
  const auto outcome = check(request, now);
  return outcome ? "accepted" : outcome.error().code + ": " + outcome.error().message;
}

void set_header(ServerRequest* request, const std::string& name, const std::string& value) {
  for (auto& [field, old] : request->headers) {
    if (same_header_name(field, name)) old = value;
  }
}

TEST(RequestAuth, AcceptsWhatIsSignedAndNamesTheKey) {
  EXPECT_EQ(check(signed_with(describe())).value(), kAccessKey);
  EXPECT_EQ(check(signed_with(describe(), {"OTHER", "another secret"})).value(), "OTHER");
}

TEST(RequestAuth, AcceptsFifteenMinutesEitherWay) {
  const ServerRequest request = signed_with(describe());
  EXPECT_TRUE(check(request, "2015-08-30T12:51:00Z"));
  EXPECT_TRUE(check(request, "2015-08-30T12:21:00Z"));
  EXPECT_EQ(failure(request, "2015-08-30T12:51:01Z"),
            "InvalidSignatureException: Signature expired: 20150830T123600Z is now earlier than "
            "20150830T123601Z (20150830T125101Z - 15 min.)");
  EXPECT_THAT(failure(request, "2015-08-30T12:20:59Z"), HasSubstr("Signature not yet current"));
}

TEST(RequestAuth, RefusesWhatWasChangedAfterSigning) {
  ServerRequest body = signed_with(describe());
  body.body += ' ';
  ServerRequest target = signed_with(describe());
  set_header(&target, "X-Amz-Target", "SageMaker.StopTransformJob");
  ServerRequest path = signed_with(describe());
  path.path = "/v1";
  ServerRequest query = signed_with(describe());
  query.query = "a=b";
  ServerRequest method = signed_with(describe());
  method.method = "GET";
  for (const ServerRequest& request : {body, target, path, query, method}) {
    EXPECT_THAT(failure(request), HasSubstr("InvalidSignatureException: The request signature we "
                                            "calculated does not match"));
  }
}

TEST(RequestAuth, RefusesEachKindOfBadSignatureInAwssWords) {
  EXPECT_EQ(failure(describe()),
            "MissingAuthenticationTokenException: Missing Authentication Token");
  const auto with = [](const std::string& authorization) {
    ServerRequest request = describe();
    request.headers.emplace_back("Authorization", authorization);
    return failure(request);
  };
  EXPECT_THAT(with("Basic dXNlcjpwYXNz"), HasSubstr("Missing Authentication Token"));
  EXPECT_THAT(with("AWS4-ECDSA-P256-SHA256 Credential=x"), HasSubstr("IncompleteSignature"));
  const std::string incomplete = with("AWS4-HMAC-SHA256 SignedHeaders=host");
  EXPECT_THAT(incomplete, HasSubstr("Authorization header requires 'Credential' parameter."));
  EXPECT_THAT(incomplete, HasSubstr("Authorization header requires 'Signature' parameter."));
  EXPECT_THAT(with("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=c"),
              HasSubstr("exactly 5 slash-delimited elements"));
  EXPECT_THAT(failure(signed_with(describe(), {"NOBODY", kSecret})),
              HasSubstr("UnrecognizedClientException: The security token included"));
  EXPECT_THAT(failure(signed_with(describe(), {kAccessKey, "wrong"})),
              HasSubstr("InvalidSignatureException: The request signature"));
  EXPECT_THAT(
      failure(signed_with(describe(), {kAccessKey, kSecret}, {"20150830", "us-east-1", "s3"})),
      HasSubstr("Credential should be scoped to correct service: 'sagemaker'."));
  EXPECT_THAT(failure(signed_with(describe(), {kAccessKey, kSecret},
                                  {"20150830", "eu-west-1", "sagemaker"})),
              HasSubstr("Credential should be scoped to a valid region."));
  EXPECT_THAT(failure(signed_with(describe(), {kAccessKey, kSecret},
                                  {"20150829", "us-east-1", "sagemaker"})),
              HasSubstr("Date in Credential scope does not match"));
}

TEST(RequestAuth, WhatDecidesMustBeSigned) {
  for (const std::string name : {"Host", "X-Amz-Target", "X-Amz-Date"}) {
    ServerRequest partial = describe();
    std::erase_if(partial.headers, [&](const HeaderField& field) { return field.first == name; });
    const std::string value(describe().header(name));
    SigV4Request what{"POST", "/", "", partial.headers, sha256_hex(partial.body)};
    partial.headers.emplace_back(
        "Authorization",
        sigv4_authorization(what, SigV4Path::kNormalized, {kAccessKey, kSecret}, "20150830T123600Z",
                            {"20150830", "us-east-1", "sagemaker"}));
    partial.headers.emplace_back(name, value);
    EXPECT_THAT(failure(partial), HasSubstr("must be a 'SignedHeader'")) << name;
  }
}

TEST(RequestAuth, RefusesHeadersThatStandTwice) {
  for (const char* const name : {"X-Amz-Date", "X-Amz-Target", "Authorization"}) {
    ServerRequest request = signed_with(describe());
    request.headers.emplace_back(name, std::string(request.header(name)));
    EXPECT_THAT(failure(request), HasSubstr("IncompleteSignatureException")) << name;
  }
}

TEST(RequestAuth, AStatedDigestMustBeTheBodys) {
  ServerRequest request = describe();
  request.headers.emplace_back("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
  EXPECT_THAT(failure(signed_with(request)), HasSubstr("InvalidSignatureException"));
  request.headers.back().second = sha256_hex(request.body);
  EXPECT_TRUE(check(signed_with(request)));
}

// --- AWS's test suite ---

std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

ServerRequest parse_request(const std::string& text) {
  ServerRequest request;
  size_t at = text.find('\n');
  const std::string line = text.substr(0, at);
  const size_t space = line.find(' ');
  const std::string target = line.substr(space + 1, line.rfind(" HTTP/") - space - 1);
  request.method = line.substr(0, space);
  request.path = target.substr(0, target.find('?'));
  if (request.path.size() < target.size()) request.query = target.substr(request.path.size() + 1);
  while (at != std::string::npos && at + 1 < text.size()) {
    const size_t end = text.find('\n', at + 1);
    const std::string field = text.substr(at + 1, end == std::string::npos ? end : end - at - 1);
    at = end;
    if (field.empty()) {
      request.body = end == std::string::npos ? "" : text.substr(end + 1);
      break;
    }
    if (field.front() == ' ') {
      request.headers.back().second += field;
      continue;
    }
    const size_t colon = field.find(':');
    request.headers.emplace_back(field.substr(0, colon), field.substr(colon + 1));
  }
  return request;
}

TEST(RequestAuth, TakesAwssTestSuiteAndRefusesItSignedWrongly) {
  const char* const set = std::getenv("MILLRACE_TEST_DATA");
  const fs::path data = set != nullptr ? fs::path(set) : fs::path(MILLRACE_SOURCE_DIR "/../shared");
  const fs::path suite = data / "data/conformance/aws4_testsuite";
  if (!fs::exists(suite)) GTEST_SKIP() << "no " << suite << " (MILLRACE_TEST_DATA)";
  int cases = 0;
  for (const auto& entry : fs::recursive_directory_iterator(suite)) {
    if (entry.path().extension() != ".req") continue;
    SCOPED_TRACE(entry.path().stem().string());
    fs::path file = entry.path();
    ServerRequest request = parse_request(slurp(file));
    if (entry.path().stem() == "get-vanilla-with-session-token") {
      request.headers.emplace_back(
          "X-Amz-Security-Token",
          "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267");
    }
    std::string authorization = slurp(file.replace_extension(".authz"));
    request.headers.emplace_back("Authorization", authorization);
    const AuthExpectation expected{"service", "us-east-1"};
    const WallTime now = at("2015-08-30T12:36:00Z");
    EXPECT_TRUE(authenticate(request, kKeys, expected, now, &signing_keys));
    // One digit of the signature, of the date, of the body: none may pass.
    authorization.back() = authorization.back() == '0' ? '1' : '0';
    request.headers.back().second = authorization;
    EXPECT_FALSE(authenticate(request, kKeys, expected, now, &signing_keys));
    authorization.pop_back();
    request.headers.back().second = authorization;
    EXPECT_FALSE(authenticate(request, kKeys, expected, now, &signing_keys));
    ++cases;
  }
  EXPECT_GE(cases, 30);
}

// --- keys ---

TEST(AccessKeys, AreReadFromSectionsAndFaultsNameTheSection) {
  const auto keys = parse_access_keys(
      "[a]\naws_access_key_id = A\naws_secret_access_key = s1\n"
      "[b]\naws_access_key_id = B\naws_secret_access_key = s2\n");
  ASSERT_TRUE(keys);
  EXPECT_EQ(*keys, (AccessKeys{{"A", "s1"}, {"B", "s2"}}));
  const auto lacking = parse_access_keys("[a]\naws_secret_access_key = topsecret\n");
  ASSERT_FALSE(lacking);
  EXPECT_EQ(lacking.error().message, "[a]: no aws_access_key_id");
  EXPECT_FALSE(parse_access_keys(""));
  EXPECT_FALSE(
      parse_access_keys("[a]\naws_access_key_id = A\naws_secret_access_key = s1\n"
                        "[b]\naws_access_key_id = A\naws_secret_access_key = s2\n"));
}

class AccessKeyFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    file_ = fs::path(::testing::TempDir()) /
            ("keys-" + std::to_string(::getpid()) + "-" +
             ::testing::UnitTest::GetInstance()->current_test_info()->name());
  }
  void TearDown() override { fs::remove(file_); }
  void write(const std::string& id, fs::perms perms = fs::perms::owner_read) {
    fs::remove(file_);
    std::ofstream(file_) << "[x]\naws_access_key_id = " << id
                         << "\naws_secret_access_key = topsecret\n";
    fs::permissions(file_, perms);
  }
  fs::path file_;
};

TEST_F(AccessKeyFileTest, OthersMayNotReadIt) {
  write("A", fs::perms::owner_read | fs::perms::group_read);
  const auto refused = AccessKeyFile::open(file_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("others may read it; run chmod 600"));
  EXPECT_THAT(refused.error().message, ::testing::Not(HasSubstr("topsecret")));
}

TEST_F(AccessKeyFileTest, AChangedFileCountsAndABrokenOneDoesNot) {
  write("A");
  const auto keys = AccessKeyFile::open(file_);
  ASSERT_TRUE(keys) << keys.error().message;
  EXPECT_EQ((*keys)->refresh().value(), false);
  write("B");
  EXPECT_EQ((*keys)->refresh().value(), true);
  EXPECT_TRUE((*keys)->current()->contains("B"));
  EXPECT_FALSE((*keys)->current()->contains("A"));
  fs::remove(file_);
  EXPECT_FALSE((*keys)->refresh());
  write("C", fs::perms::owner_read | fs::perms::others_read);
  EXPECT_FALSE((*keys)->refresh());
  EXPECT_TRUE((*keys)->current()->contains("B"));
}

TEST(RequestAuth, AKeyThatGotAnotherSecretIsNotGoodForTheOldOne) {
  const ServerRequest request = signed_with(describe());
  const AuthExpectation expected{"sagemaker", "us-east-1", false, true};
  const WallTime now = at("2015-08-30T12:36:00Z");
  SigningKeys kept;
  EXPECT_TRUE(authenticate(request, kKeys, expected, now, &kept));
  EXPECT_TRUE(authenticate(request, kKeys, expected, now, &kept));
  const AccessKeys rotated = {{kAccessKey, "another secret"}};
  EXPECT_FALSE(authenticate(request, rotated, expected, now, &kept));
}

}  // namespace
}  // namespace millrace::server
