// Loading a model folder: what the model says of itself, what its identity depends on, and each way
// in which a folder can be wrong.
#include "model/text_classification_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model/model_fixture.h"
#include "nn/bf16_rounding.h"
#include "nn/kernels.h"

namespace millrace::model {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::read_file;
using testing::TempFolder;
using testing::TestModel;
using testing::write_file;

class ModelFolder : public ::testing::Test {
 protected:
  void SetUp() override { randomize(&model_, 1); }

  // Writes model_ and loads it.
  Result<std::shared_ptr<const TextClassificationModel>> load(
      const LoadOptions& options = {}, const testing::WriteOptions& write = {}) {
    write_model(&model_, folder_.path(), write);
    return TextClassificationModel::load(folder_.path(), options);
  }

  void expect_refused(const Result<std::shared_ptr<const TextClassificationModel>>& model,
                      const std::string& why) {
    ASSERT_FALSE(model.has_value()) << why;
    EXPECT_EQ(model.error().code, Code::kInvalidArgument);
    EXPECT_THAT(model.error().message, HasSubstr(why));
  }

  fs::path weights() const { return folder_.path() / "model.safetensors"; }

  TestModel model_;
  TempFolder folder_;
};

constexpr char kQuery[] = "distilbert.transformer.layer.0.attention.q_lin.weight";

TEST_F(ModelFolder, SaysWhatTheModelIs) {
  write_file(folder_.path() / "README.md", "---\nlanguage:\n- en\n- vi\n---\n");
  const auto model = load({.threads = 2});
  ASSERT_TRUE(model.has_value()) << model.error().message;
  const ModelInfo& info = (*model)->info();
  EXPECT_EQ(info.architecture, "DistilBertForSequenceClassification");
  EXPECT_EQ(info.layers, 2U);
  EXPECT_EQ(info.hidden_size, 24U);
  EXPECT_EQ(info.intermediate_size, 40U);
  EXPECT_EQ(info.heads, 3U);
  EXPECT_EQ(info.vocab_size, 50U);
  EXPECT_EQ(info.max_position_embeddings, 40U);
  size_t parameters = 0;
  for (const auto& [name, tensor] : model_.tensors) parameters += tensor.values.size();
  EXPECT_EQ(info.parameters, parameters);
  EXPECT_THAT(info.labels, ElementsAre("L0", "L1", "L2"));
  EXPECT_FALSE(info.multi_label);
  EXPECT_THAT(info.languages, ElementsAre("en", "vi"));
  EXPECT_EQ(info.isa, nn::kernel_names().front());
  EXPECT_EQ(info.digest.size(), 32U);
  EXPECT_EQ(info.numeric_identity, info.digest + "-fp32-k" + std::to_string(nn::kKernelRevision));
  EXPECT_EQ((*model)->tokenizer(), nullptr);
  EXPECT_EQ((*model)->max_length(), 40U);
}

TEST_F(ModelFolder, DigestIsTheContentsAndNotTheFilesOrThreads) {
  const auto digest = [&](const LoadOptions& options, const testing::WriteOptions& write) {
    fs::remove(weights());
    const auto model = load(options, write);
    EXPECT_TRUE(model.has_value()) << model.error().message;
    return model ? (*model)->info().digest : std::string();
  };
  const std::string first = digest({}, {});
  EXPECT_EQ(digest({.isa = "reference", .threads = 3}, {}), first);
  EXPECT_EQ(digest({}, {.misalign = true}), first);
  EXPECT_EQ(digest({}, {.shards = 2}), first);

  model_.tensors[kQuery].values.back() += 0.5F;
  const std::string other_weights = digest({}, {});
  EXPECT_NE(other_weights, first);
  model_.activation = "relu";
  EXPECT_NE(digest({}, {}), other_weights);
}

TEST_F(ModelFolder, RefusesAFolderThatIsNotThere) {
  const auto model = TextClassificationModel::load(folder_.path() / "none", {});
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, Code::kNotFound);
  EXPECT_THAT(model.error().message, HasSubstr("no such folder"));
}

TEST_F(ModelFolder, RefusesAFolderWithoutConfiguration) {
  expect_refused(TextClassificationModel::load(folder_.path(), {}), "config.json is missing");
}

TEST_F(ModelFolder, RefusesAnUnknownArchitectureByName) {
  write_model(&model_, folder_.path());
  write_file(folder_.path() / "config.json",
             R"({"architectures": ["RobertaForSequenceClassification"]})");
  expect_refused(TextClassificationModel::load(folder_.path(), {}),
                 "config.json: architectures: \"RobertaForSequenceClassification\"");
}

TEST_F(ModelFolder, RefusesAMissingTensorByName) {
  model_.tensors.erase(kQuery);
  expect_refused(load(), std::string("tensor ") + kQuery + " is missing");
}

TEST_F(ModelFolder, RefusesBertWithoutPooler) {
  model_ = {.bert = true};
  randomize(&model_, 1);
  model_.tensors.erase("bert.pooler.dense.weight");
  expect_refused(load(), "tensor bert.pooler.dense.weight is missing");
}

TEST_F(ModelFolder, RefusesATensorThatTheArchitectureDoesNotHave) {
  model_.tensors["distilbert.transformer.layer.2.attention.q_lin.bias"] = {{1}, {0}};
  expect_refused(load(), "tensor distilbert.transformer.layer.2.attention.q_lin.bias: ");
}

TEST_F(ModelFolder, TakesNoOffenceAtSavedBuffers) {
  model_.tensors["distilbert.embeddings.position_ids"] = {{1, 2}, {0, 1}};
  const auto model = load();
  EXPECT_TRUE(model.has_value()) << model.error().message;
}

TEST_F(ModelFolder, RefusesAMisshapenTensorByNameAndShape) {
  model_.tensors[kQuery].shape = {12, 48};
  expect_refused(load(), std::string("tensor ") + kQuery +
                             ": its shape is [12, 48], config.json asks for [24, 24]");
}

TEST_F(ModelFolder, RefusesAVocabularyOfAnotherSizeThanTheEmbeddings) {
  model_.vocabulary = 51;
  expect_refused(load(),
                 "tensor distilbert.embeddings.word_embeddings.weight: its shape is [50, 24], "
                 "config.json asks for [51, 24]");
}

TEST_F(ModelFolder, RefusesATensorOfAnotherType) {
  write_model(&model_, folder_.path());
  std::string file = read_file(weights());
  const std::string entry = std::string("\"") + kQuery + R"(":{"dtype":"F32")";
  const size_t at = file.find(entry);
  ASSERT_NE(at, std::string::npos);
  file.replace(at + entry.size() - 4, 3, "I32");
  write_file(weights(), file);
  expect_refused(TextClassificationModel::load(folder_.path(), {}),
                 std::string("tensor ") + kQuery + ": its dtype is I32");
}

TEST_F(ModelFolder, RefusesNanAndInfinityByTensor) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    for (const char* name : {kQuery, "distilbert.embeddings.word_embeddings.weight",
                             "classifier.bias", "distilbert.embeddings.LayerNorm.bias"}) {
      float& value = model_.tensors[name].values.back();
      const float good = std::exchange(value, bad);
      expect_refused(load({.threads = 2}), std::string("tensor ") + name + ": NaN or infinity");
      value = good;
    }
  }
}

TEST_F(ModelFolder, RefusesTruncatedWeightsByFile) {
  write_model(&model_, folder_.path());
  fs::resize_file(weights(), fs::file_size(weights()) - 5);
  expect_refused(TextClassificationModel::load(folder_.path(), {}), "model.safetensors: tensor ");
  expect_refused(TextClassificationModel::load(folder_.path(), {}), "the file is truncated");
}

TEST_F(ModelFolder, EachPrecisionHasANumericIdentityOfItsOwn) {
  const auto fp32 = load({});
  const auto int8 = load({.precision = Precision::kInt8});
  ASSERT_TRUE(fp32 && int8);
  EXPECT_EQ((*int8)->info().precision, Precision::kInt8);
  EXPECT_EQ((*int8)->info().notice, "");
  EXPECT_EQ((*int8)->info().digest, (*fp32)->info().digest);
  EXPECT_NE((*int8)->info().numeric_identity, (*fp32)->info().numeric_identity);
}

TEST_F(ModelFolder, Bf16WithoutItsInstructionsIsFp32AndSaysSo) {
  const auto fp32 = load({});
  const auto bf16 = load({.precision = Precision::kBf16, .isa = "reference"});
  ASSERT_TRUE(fp32 && bf16);
  EXPECT_EQ((*bf16)->info().precision, Precision::kFp32);
  EXPECT_EQ((*bf16)->info().numeric_identity, (*fp32)->info().numeric_identity);
  EXPECT_EQ((*bf16)->info().notice,
            "the kernels in use (reference) have no bf16 products; computing in fp32");
}

TEST_F(ModelFolder, Bf16sIdentityNamesWhatItsBitsDependOn) {
  const auto bf16 = load({.precision = Precision::kBf16});
  ASSERT_TRUE(bf16);
  if ((*bf16)->info().precision != Precision::kBf16) GTEST_SKIP() << "this CPU has no AVX512-BF16";
  const nn::Kernels& kernels = *nn::find_kernels((*bf16)->info().isa);
  EXPECT_THAT((*bf16)->info().numeric_identity,
              HasSubstr("-bf16-" + (*bf16)->info().isa + "-" + nn::bf16_rounding(kernels)));
}

TEST_F(ModelFolder, RefusesInstructionSetsThatAreNotThere) {
  expect_refused(load({.isa = "sse9"}), "instruction set \"sse9\": this machine runs");
}

TEST_F(ModelFolder, NeedsATokenizerOfTheSameVocabulary) {
  const auto with_vocabulary = [&](size_t size) {
    std::string vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    for (size_t i = 5; i < size; ++i) vocabulary += "w" + std::to_string(i) + "\n";
    write_file(folder_.path() / "vocab.txt", vocabulary);
    write_file(folder_.path() / "tokenizer_config.json", R"({"model_max_length": 16})");
    return load({.threads = 2});
  };
  const auto fitting = with_vocabulary(50);
  ASSERT_TRUE(fitting.has_value()) << fitting.error().message;
  ASSERT_NE((*fitting)->tokenizer(), nullptr);
  EXPECT_EQ((*fitting)->max_length(), 16U);
  expect_refused(with_vocabulary(49), "the tokenizer has 49 pieces, but config.json states");
}

}  // namespace
}  // namespace millrace::model
