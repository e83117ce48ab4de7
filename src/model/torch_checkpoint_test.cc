// PyTorch checkpoints: the same tensors as in safetensors, and every pickle that asks for more than
// tensors refused by name, with nothing run.
#include "model/torch_checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "model/torch_pickle.h"
#include "model/torch_zip.h"

namespace millrace::model {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;

std::string little(uint64_t value, size_t size) {
  std::string out;
  for (size_t i = 0; i < size; ++i) out += static_cast<char>(i < 8 ? value >> (8 * i) : 0);
  return out;
}

struct ZipFile {
  std::string name;
  std::string content;
  uint16_t method = 0;
};

std::string zip_of(const std::vector<ZipFile>& files) {
  std::string out, directory;
  for (const ZipFile& file : files) {
    const uint64_t at = out.size();
    const std::string sizes = little(file.content.size(), 4) + little(file.content.size(), 4);
    const std::string shared = little(file.method, 2) + little(0, 8) + sizes;
    out += "PK\3\4" + little(20, 2) + little(0, 2) + shared + little(file.name.size(), 2) +
           little(3, 2) + file.name + "pad" + file.content;
    directory += "PK\1\2" + little(20, 4) + little(0, 2) + shared + little(file.name.size(), 2) +
                 little(0, 12) + little(at, 4) + file.name;
  }
  const uint64_t at = out.size();
  return out + directory + "PK\5\6" + little(0, 4) + little(files.size(), 2) +
         little(files.size(), 2) + little(directory.size(), 4) + little(at, 4) + little(0, 2);
}

std::string text(const std::string& value) {
  return "X" + little(value.size(), 4) + value;
}

// One tensor of a dictionary: what torch.save writes, without the marks that save space.
std::string pickled(const std::string& name, const std::string& type, const std::string& key,
                    int count, int offset, const std::string& shape, const std::string& strides) {
  return text(name) + "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + "ctorch\n" +
         type + "\n" + text(key) + text("cpu") + "M" + little(static_cast<uint64_t>(count), 2) +
         "tQK" + little(static_cast<uint64_t>(offset), 1) + shape + strides +
         "\x89"
         "ccollections\nOrderedDict\n)RtR";
}

std::string dictionary(const std::string& items) {
  return "\x80\x02"
         "ccollections\nOrderedDict\n)Rq\0("s +
         items + "u}" + text("_metadata") + "}sb.";
}

// sizes(2, 3) is the tuple (2, 3).
std::string sizes(int a, int b) {
  return "K" + little(static_cast<uint64_t>(a), 1) + "K" + little(static_cast<uint64_t>(b), 1) +
         "\x86";
}

const std::string kTwoByThree = pickled("w", "FloatStorage", "0", 8, 1, sizes(2, 3), sizes(3, 1));

std::string checkpoint(const std::string& pickle,
                       const std::string& storage = std::string(32, 's')) {
  return zip_of({{"m/data.pkl", pickle}, {"m/byteorder", "little"}, {"m/data/0", storage}});
}

Result<TensorMap> parse(const std::string& file) {
  return parse_torch_checkpoint(std::as_bytes(std::span(file)), "pytorch_model.bin");
}

void expect_refused(const std::string& file, const std::string& why) {
  const auto tensors = parse(file);
  ASSERT_FALSE(tensors.has_value()) << why;
  EXPECT_EQ(tensors.error().code, Code::kInvalidArgument);
  EXPECT_THAT(tensors.error().message, HasSubstr("pytorch_model.bin: "));
  EXPECT_THAT(tensors.error().message, HasSubstr(why));
}

TEST(TorchCheckpoint, GivesTypeShapeAndBytesOfEachTensor) {
  const std::string storage = "....aaaabbbbccccddddeeeeffff....";
  const std::string file = checkpoint(
      dictionary(kTwoByThree + pickled("h", "HalfStorage", "0", 16, 0, "K\2\x85"s, "K\1\x85"s)),
      storage);
  const auto tensors = parse(file);
  ASSERT_TRUE(tensors.has_value()) << tensors.error().message;
  ASSERT_EQ(tensors->size(), 2U);
  const Tensor& w = tensors->at("w");
  EXPECT_EQ(w.dtype, DType::kF32);
  EXPECT_EQ(w.shape, (std::vector<uint64_t>{2, 3}));
  ASSERT_EQ(w.bytes.size(), 24U);
  EXPECT_EQ(std::memcmp(w.bytes.data(), storage.data() + 4, 24), 0);
  EXPECT_EQ(tensors->at("h").dtype, DType::kF16);
  EXPECT_EQ(tensors->at("h").bytes.size(), 4U);
}

TEST(TorchCheckpoint, RefusesWhatIsNoDictionaryOfTensorsByName) {
  expect_refused(checkpoint("cos\nsystem\n(" + text("touch /tmp/x") + "tR."),
                 "asks for os.system, which no dictionary of tensors needs; nothing was run");
  expect_refused(checkpoint("c__builtin__\neval\n."), "asks for __builtin__.eval");
  expect_refused(checkpoint("(ios\nsystem\n."), "opcode 0x69");  // INST
  expect_refused(checkpoint("\x93."), "opcode 0x93");            // STACK_GLOBAL
  expect_refused(checkpoint("\x82\x01."), "opcode 0x82");        // EXT1
  expect_refused(checkpoint("N."), "no dictionary of tensors");
  expect_refused(checkpoint("ctorch\nFloatStorage\n)R."), "a call that makes no tensor");
}

TEST(TorchCheckpoint, RefusesDamageByName) {
  const std::string good = checkpoint(dictionary(kTwoByThree));
  ASSERT_TRUE(parse(good).has_value());
  expect_refused("", "it is no zip file");
  expect_refused("\x80\x02\x8a", "before PyTorch 1.6");
  expect_refused(good.substr(0, good.size() - 1), "its end is missing");
  expect_refused(checkpoint(dictionary(kTwoByThree), "short"), "beyond its storage");
  expect_refused(
      checkpoint(dictionary(pickled("w", "FloatStorage", "7", 8, 0, "K\2\x85"s, "K\1\x85"s))),
      "tensor w: its storage 7 is missing");
  expect_refused(
      checkpoint(dictionary(pickled("w", "FloatStorage", "0", 8, 0, sizes(2, 3), sizes(1, 2)))),
      "do not lie in order");
  expect_refused(checkpoint(""), "it ends early");
  expect_refused(checkpoint("t."), "no mark");
  expect_refused(checkpoint("h\5."s), "never kept");
  expect_refused(checkpoint("}0s."), "too few values");
  expect_refused(zip_of({{"m/data.pkl", "x", 8}}), "is compressed");
  expect_refused(zip_of({{"m/version", "3"}}), "it has no data.pkl");
  expect_refused(zip_of({{"m/data.pkl", "N."}, {"m/data.pkl", "N."}}), "two entries");
  expect_refused(zip_of({{"m/data.pkl", "N."}, {"m/byteorder", "big"}}), "not little-endian");
}

// What each tensor repeats of the pickle is small, so that a small pickle cannot take all memory.
TEST(TorchCheckpoint, OversizedNamesShapesAndCallsAreRefused) {
  const auto error_of = [](const std::string& pickle) {
    const auto tensors = read_tensor_pickle(pickle);
    return tensors ? "" : tensors.error().message;
  };
  const auto tensor = [](const std::string& key, const std::string& shape) {
    return dictionary(pickled("w", "FloatStorage", key, 8, 0, shape, shape));
  };
  const auto nones = [](size_t count) { return "(" + std::string(count, 'N') + "t"; };
  std::string eight = "(", nine = "(";
  for (int i = 0; i < 8; ++i) eight += "K\1"s;
  nine += eight.substr(1) + "K\1"s;
  EXPECT_EQ(error_of(tensor(std::string(255, '0'), eight + "t")), "");
  EXPECT_NE(error_of(tensor(std::string(256, '0'), eight + "t")).find("oversized name"),
            std::string::npos);
  EXPECT_NE(error_of(tensor("0", nine + "t")).find("without a shape"), std::string::npos);
  EXPECT_NE(error_of("ccollections\nOrderedDict\n" + nones(17) + "R.").find("too many arguments"),
            std::string::npos);
}

TEST(TorchCheckpoint, DeepNestingCostsNoStack) {
  std::string deep = ")";
  for (int i = 0; i < 1000000; ++i) deep += "\x85";
  const auto tensors = read_tensor_pickle(deep + "0}.");
  ASSERT_TRUE(tensors.has_value()) << tensors.error().message;
  EXPECT_TRUE(tensors->empty());
}

TEST(TorchCheckpoint, EveryTruncationIsAnError) {
  const std::string pickle = dictionary(kTwoByThree);
  for (size_t size = 0; size < pickle.size(); ++size) {
    EXPECT_FALSE(read_tensor_pickle(pickle.substr(0, size)).has_value()) << size;
  }
  const std::string file = checkpoint(pickle);
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(parse(file.substr(0, size)).has_value()) << size;
  }
}

}  // namespace
}  // namespace millrace::model
