// SigV4 against AWS's own test suite and the examples in S3's documentation.
#include "base/sigv4.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/digest.h"

namespace millrace {
namespace {

namespace fs = std::filesystem;

std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

fs::path test_data() {
  const char* const set = std::getenv("MILLRACE_TEST_DATA");
  return set != nullptr ? fs::path(set) : fs::path(MILLRACE_SOURCE_DIR "/../shared");
}

// A request as it stands in the suite's .req files.
SigV4Request parse_request(const std::string& text) {
  SigV4Request request;
  size_t at = text.find('\n');
  const std::string line = text.substr(0, at);
  const size_t space = line.find(' ');
  const std::string target = line.substr(space + 1, line.rfind(" HTTP/") - space - 1);
  request.method = line.substr(0, space);
  request.path = target.substr(0, target.find('?'));
  if (request.path.size() < target.size()) request.query = target.substr(request.path.size() + 1);
  std::string body;
  while (at != std::string::npos && at + 1 < text.size()) {
    const size_t end = text.find('\n', at + 1);
    std::string field = text.substr(at + 1, end == std::string::npos ? end : end - at - 1);
    at = end;
    if (field.empty()) {
      body = end == std::string::npos ? "" : text.substr(end + 1);
      break;
    }
    if (field.front() == ' ') {  // obsolete folding
      request.headers.back().second += field;
      continue;
    }
    const size_t colon = field.find(':');
    request.headers.emplace_back(field.substr(0, colon), field.substr(colon + 1));
  }
  request.payload_sha256 = sha256_hex(body);
  return request;
}

TEST(SigV4, AgreesWithAwsTestSuite) {
  const fs::path suite = test_data() / "data/conformance/aws4_testsuite";
  if (!fs::exists(suite)) GTEST_SKIP() << "no " << suite << " (MILLRACE_TEST_DATA)";
  const SigV4Scope scope{"20150830", "us-east-1", "service"};
  const SigV4Key key{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};
  int cases = 0;
  for (const auto& entry : fs::recursive_directory_iterator(suite)) {
    if (entry.path().extension() != ".req") continue;
    SCOPED_TRACE(entry.path().stem().string());
    fs::path file = entry.path();
    SigV4Request request = parse_request(slurp(file));
    if (entry.path().stem() == "get-vanilla-with-session-token") {
      // Here the token belongs to the credentials and is added by the signer.
      request.headers.emplace_back(
          "X-Amz-Security-Token",
          "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267");
    }
    const std::string canonical = sigv4_canonical_request(request, SigV4Path::kNormalized);
    EXPECT_EQ(canonical, slurp(file.replace_extension(".creq")));
    EXPECT_EQ(sigv4_string_to_sign(canonical, "20150830T123600Z", scope),
              slurp(file.replace_extension(".sts")));
    EXPECT_EQ(sigv4_authorization(request, SigV4Path::kNormalized, key, "20150830T123600Z", scope),
              slurp(file.replace_extension(".authz")));
    ++cases;
  }
  EXPECT_GE(cases, 30);
}

// "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk",
// Amazon S3 API reference.
class S3Example : public ::testing::Test {
 protected:
  static std::string signature_of(SigV4Request request, const std::string& payload) {
    request.payload_sha256 = sha256_hex(payload);
    request.headers.emplace_back("Host", "examplebucket.s3.amazonaws.com");
    request.headers.emplace_back("x-amz-content-sha256", request.payload_sha256);
    request.headers.emplace_back("x-amz-date", "20130524T000000Z");
    const SigV4Scope scope{"20130524", "us-east-1", "s3"};
    const std::string header =
        sigv4_authorization(request, SigV4Path::kAsSent,
                            {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
                            "20130524T000000Z", scope);
    return header.substr(header.rfind('=') + 1);
  }
};

TEST_F(S3Example, GetObjectWithRange) {
  EXPECT_EQ(signature_of({"GET", "/test.txt", "", {{"Range", "bytes=0-9"}}, ""}, ""),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST_F(S3Example, PutObject) {
  EXPECT_EQ(signature_of({"PUT",
                          "/test%24file.text",
                          "",
                          {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                           {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                          ""},
                         "Welcome to Amazon S3."),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST_F(S3Example, GetBucketLifecycle) {
  EXPECT_EQ(signature_of({"GET", "/", "lifecycle", {}, ""}, ""),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST_F(S3Example, ListObjects) {
  EXPECT_EQ(signature_of({"GET", "/", "max-keys=2&prefix=J", {}, ""}, ""),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

}  // namespace
}  // namespace millrace
