// Safetensors: what is accepted, and every way in which a file can be wrong, by name.
#include "model/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "model/model_fixture.h"

namespace millrace::model {
namespace {

using ::testing::HasSubstr;
using testing::RawTensor;
using testing::safetensors_file;
using testing::TempFolder;
using testing::write_file;

std::string with_header(const std::string& header, const std::string& data) {
  const uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof size) + header + data;
}

Result<TensorMap> parse(const std::string& file) {
  return parse_safetensors(std::as_bytes(std::span(file)), "weights");
}

void expect_refused(const std::string& file, const std::string& why) {
  const auto tensors = parse(file);
  ASSERT_FALSE(tensors.has_value()) << why;
  EXPECT_EQ(tensors.error().code, Code::kInvalidArgument);
  EXPECT_THAT(tensors.error().message, HasSubstr("weights: "));
  EXPECT_THAT(tensors.error().message, HasSubstr(why));
}

TEST(Safetensors, GivesTypeShapeAndBytesOfEachTensor) {
  const std::string file = safetensors_file({{"a", {"F32", {2, 1}, "12345678"}},
                                             {"b", {"BF16", {3}, "abcdef"}},
                                             {"c", {"I64", {}, "ABCDEFGH"}},
                                             {"d", {"F16", {0, 7}, ""}}});
  const auto tensors = parse(file);
  ASSERT_TRUE(tensors.has_value()) << tensors.error().message;
  ASSERT_EQ(tensors->size(), 4U);
  const Tensor& a = tensors->at("a");
  EXPECT_EQ(a.dtype, DType::kF32);
  EXPECT_EQ(a.shape, (std::vector<uint64_t>{2, 1}));
  EXPECT_EQ(std::memcmp(a.bytes.data(), "12345678", 8), 0);
  EXPECT_EQ(tensors->at("b").dtype, DType::kBf16);
  EXPECT_EQ(tensors->at("b").bytes.size(), 6U);
  EXPECT_EQ(tensors->at("c").dtype, DType::kOther);
  EXPECT_EQ(tensors->at("c").dtype_name, "I64");
  EXPECT_EQ(tensors->at("c").elements(), 1U);
  EXPECT_EQ(tensors->at("d").elements(), 0U);
}

TEST(Safetensors, AcceptsMetadataAndTrailingBlanksInTheHeader) {
  const auto tensors = parse(with_header(
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}  )",
      "x"));
  ASSERT_TRUE(tensors.has_value()) << tensors.error().message;
  EXPECT_EQ(tensors->size(), 1U);
}

TEST(Safetensors, RefusesTruncatedFilesOfEveryLength) {
  const std::string file =
      safetensors_file({{"a", {"F32", {2}, "12345678"}}, {"b", {"F16", {2}, "abcd"}}});
  for (size_t length = 0; length < file.size(); ++length) {
    EXPECT_FALSE(parse(file.substr(0, length)).has_value()) << length;
  }
  expect_refused(file.substr(0, 4), "4 bytes: the file is truncated");
  expect_refused(file.substr(0, 20), "the file is truncated");
  expect_refused(file.substr(0, file.size() - 1), "tensor b: it ends at byte 12");
}

TEST(Safetensors, RefusesWhatBelongsToNoTensor) {
  const std::string file = safetensors_file({{"a", {"U8", {4}, "1234"}}});
  expect_refused(file + "5", "1 bytes at its end belong to no tensor");
  expect_refused(with_header(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})", "123"),
                 "tensor a: the bytes before it belong to no tensor");
}

TEST(Safetensors, RefusesOverlap) {
  expect_refused(with_header(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},)"
                             R"("b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
                             "1234"),
                 "tensor b: its bytes overlap");
}

TEST(Safetensors, RefusesSizesThatDoNotFitTheShape) {
  const auto entry = [](const std::string& shape, const std::string& offsets) {
    return with_header(
        R"({"a":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}",
        "12345678");
  };
  expect_refused(entry("[3]", "[0,8]"), "tensor a: F32 [3] does not take the 8 bytes");
  expect_refused(entry("[4611686018427387904,4]", "[0,0]"), "tensor a: F32");
  expect_refused(entry("[-2]", "[0,8]"), "tensor a: shape is not");
  expect_refused(entry("[2.0]", "[0,8]"), "tensor a: shape is not");
  expect_refused(entry("2", "[0,8]"), "tensor a: shape is not");
  expect_refused(entry("[2]", "[8,0]"), "tensor a: data_offsets are not");
  expect_refused(entry("[2]", "[0,8,8]"), "tensor a: data_offsets are not");
  expect_refused(entry("[2]", "[0,18446744073709551616]"), "tensor a: data_offsets are not");
}

TEST(Safetensors, RefusesHeadersThatAreNotOne) {
  expect_refused(with_header("[]", ""), "not a JSON object");
  expect_refused(with_header("{\"a\":", ""), "not valid JSON");
  expect_refused(with_header("{} x", ""), "not valid JSON");
  expect_refused(with_header("{\"a\":1}", ""), "tensor a: its header entry is not an object");
  expect_refused(with_header(R"({"a":{"dtype":"F32"}})", ""), "tensor a: its header entry lacks");
  expect_refused(with_header(R"({"a":{"dtype":"F7","shape":[0],"data_offsets":[0,0]}})", ""),
                 "tensor a: unknown dtype \"F7\"");
  expect_refused(
      with_header(R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0],"more":1}})", ""),
      "tensor a: its header entry has the unknown key \"more\"");
  expect_refused(with_header(R"({"__metadata__":{"a":1}})", ""), "__metadata__");
  expect_refused(with_header(R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},)"
                             R"("a":{"dtype":"F16","shape":[0],"data_offsets":[0,0]}})",
                             ""),
                 "the key \"a\" stands there twice");
  expect_refused(with_header("{\"a\":" + std::string(100000, '['), ""), "nested too deep");
}

TEST(Safetensors, RefusesAHeaderLengthThatNoModelHas) {
  std::string file(64, '{');
  const uint64_t huge = uint64_t{1} << 60;
  std::memcpy(file.data(), &huge, sizeof huge);
  expect_refused(file, "not a safetensors file: a header of 1152921504606846976 bytes");
}

std::string one_tensor() {
  return safetensors_file({{"a", {"U8", {1}, "x"}}});
}

std::string open_error(const std::filesystem::path& folder) {
  const auto checkpoint = Checkpoint::open(folder);
  return checkpoint ? "no error" : checkpoint.error().message;
}

TEST(Checkpoint, SaysWhatIsMissing) {
  const TempFolder folder;
  EXPECT_THAT(open_error(folder.path()),
              HasSubstr("there is none of model.safetensors, pytorch_model.bin"));
  write_file(folder.path() / "pytorch_model.bin", "x");
  EXPECT_THAT(open_error(folder.path()), HasSubstr("before PyTorch 1.6"));
}

TEST(Checkpoint, RefusesAnEmptyFileByName) {
  const TempFolder folder;
  write_file(folder.path() / "model.safetensors", "");
  EXPECT_THAT(open_error(folder.path()), HasSubstr("model.safetensors: 0 bytes"));
}

TEST(Checkpoint, RefusesWhatIsNoFile) {
  const TempFolder folder;
  std::filesystem::create_directory(folder.path() / "model.safetensors");
  EXPECT_THAT(open_error(folder.path()), HasSubstr("model.safetensors: not a regular file"));
}

TEST(Checkpoint, ChecksTheIndexAgainstTheShards) {
  const TempFolder folder;
  const auto with_index = [&](const std::string& weight_map) {
    write_file(folder.path() / "model.safetensors.index.json", weight_map);
    return open_error(folder.path());
  };
  EXPECT_THAT(with_index(R"({"weight_map": {"a": "../s1"}})"), HasSubstr("tensor a: its file"));
  EXPECT_THAT(with_index(R"({"weight_map": {"a": 1}})"), HasSubstr("tensor a: its file"));
  EXPECT_THAT(with_index(R"({"weight_map": {}})"), HasSubstr("weight_map is not"));
  EXPECT_THAT(with_index("[]"), HasSubstr("model.safetensors.index.json: not a JSON object"));
  EXPECT_THAT(with_index(R"({"weight_map": {"a": "s1"}})"), HasSubstr("the file s1 is missing"));
  write_file(folder.path() / "s1", one_tensor());
  EXPECT_EQ(with_index(R"({"weight_map": {"a": "s1"}})"), "no error");
  EXPECT_THAT(with_index(R"({"weight_map": {"a": "s1", "b": "s1"}})"),
              HasSubstr("s1: tensor b is missing"));
  write_file(folder.path() / "s2", safetensors_file({{"b", {"U8", {1}, "x"}}}));
  EXPECT_EQ(with_index(R"({"weight_map": {"a": "s1", "b": "s2"}})"), "no error");
  write_file(folder.path() / "s2", one_tensor());
  EXPECT_THAT(with_index(R"({"weight_map": {"a": "s1", "b": "s2"}})"),
              HasSubstr("s2: tensor a stands in another file too"));
  write_file(folder.path() / "s1",
             safetensors_file({{"a", {"U8", {1}, "x"}}, {"c", {"U8", {1}, "y"}}}));
  EXPECT_THAT(with_index(R"({"weight_map": {"a": "s1"}})"),
              HasSubstr("s1: it holds tensors that model.safetensors.index.json does not name"));
}

}  // namespace
}  // namespace millrace::model
