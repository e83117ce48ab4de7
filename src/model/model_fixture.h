// Small random models for tests: written to a folder in Hugging Face layout, and computed in double
// precision by the plainest possible code, straight from the definition of the architecture.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace millrace::model::testing {

struct TestTensor {
  std::vector<size_t> shape;
  std::vector<float> values;
};

struct TestModel {
  bool bert = false;
  size_t hidden = 24;
  size_t heads = 3;
  size_t layers = 2;
  size_t intermediate = 40;
  size_t vocabulary = 50;
  size_t positions = 40;
  size_t labels = 3;
  std::string activation = "gelu";
  std::map<std::string, TestTensor> tensors = {};
};

// Fills `tensors` with random values, the same for the same seed.
void randomize(TestModel* model, uint64_t seed);

std::string config_json(const TestModel& model);

// How a model is written; damage is done by tests on what was written, or on `tensors`.
struct WriteOptions {
  std::string dtype = "F32";  // "F16" and "BF16" round the values in `tensors` too
  size_t shards = 1;
  bool misalign = false;  // tensors at odd addresses, as old writers placed them
};
void write_model(TestModel* model, const std::filesystem::path& folder,
                 const WriteOptions& options = {});

// One safetensors file of tensors given as (header entry's dtype, shape, bytes).
struct RawTensor {
  std::string dtype;
  std::vector<size_t> shape;
  std::string bytes;
};
std::string safetensors_file(const std::map<std::string, RawTensor>& tensors,
                             bool misalign = false);

void write_file(const std::filesystem::path& path, const std::string& content);
std::string read_file(const std::filesystem::path& path);

struct SlowResult {
  std::vector<double> logits;
  std::vector<double> embedding;  // final hidden state of the first token
};
SlowResult slow_forward(const TestModel& model, const std::vector<int32_t>& ids,
                        const std::vector<uint8_t>& token_type_ids);

// A fresh folder that goes when the object does.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace millrace::model::testing
