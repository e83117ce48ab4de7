// A text-classification model in the process: DistilBERT or BERT for sequence classification, in
// Hugging Face layout. Texts in, labels out; or token ids in, logits out.
//
//   auto model = millrace::Model::load("sst2-small");
//   if (!model) die(model.failure().message);
//   const std::vector<std::string> texts = {"Great app!", "It crashes."};
//   auto answers = model->classify(texts);
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/export.h"
#include "millrace/outcome.h"

namespace millrace {

struct ModelSettings {
  std::string precision = "fp32";
  // Threads that load and compute; 0: one for each core.
  int threads = 0;
  // Forces a lower instruction set ("reference", "avx2", ...); results stay the same. "": the best.
  std::string isa = {};
  // How texts are read and labels decided: the options of `millrace transform` that concern the
  // model, spelled as flags without dashes in front, e.g. {"thresholds", "{\"NEGATIVE\":0.3}"},
  // {"clean", "html,urls"}. An unknown name is refused.
  std::map<std::string, std::string> options = {};
};

struct ModelDescription {
  std::string architecture;
  std::size_t layers = 0;
  std::size_t hidden_size = 0;
  std::size_t vocabulary_size = 0;
  std::size_t parameters = 0;
  std::size_t max_length = 0;          // ids of one row, special tokens included
  std::vector<std::string> labels;     // by id
  std::vector<std::string> languages;  // as the model card states them
  std::string isa;                     // instruction set in use
  std::string precision;
  std::string digest;            // identifies configuration, tokenizer and weights
  std::string numeric_identity;  // all that an answer depends on besides the text
};

// The answer to one text.
struct Classification {
  std::string label;  // empty where the settings leave an empty text blank
  float score = 0;
  std::vector<float> scores;  // of all labels, by id
  std::vector<float> logits;  // likewise
  bool truncated = false;     // the text was longer than the model reads
};

// One input of the encoder, special tokens included.
struct TokenRow {
  std::vector<std::int32_t> ids;
  std::vector<std::uint8_t> token_type_ids = {};  // empty: all 0
};

struct RowOutput {
  std::vector<float> logits;
  std::vector<float> embedding;  // final hidden state of the first token
};

// Cheap to copy; copies share the weights. Safe to use from several threads.
class MILLRACE_API Model {
 public:
  // `model`: a folder, a model.tar.gz (a file or s3://bucket/key), or the name of a model that
  // ships with Millrace. Whatever is wrong with it is refused with the file's or tensor's name.
  static Outcome<Model> load(const std::string& model, const ModelSettings& settings = {});

  const ModelDescription& description() const;

  // Answers in the order of the texts, the same whatever texts stand beside one. Pass many at once:
  // they are sorted by length and computed together on all threads. Texts are UTF-8.
  Outcome<std::vector<Classification>> classify(std::span<const std::string> texts) const;

  // The ids of a text, or of a pair of texts, as the model reads them: truncated to its length.
  Outcome<TokenRow> tokenize(std::string_view text) const;
  Outcome<TokenRow> tokenize_pair(std::string_view text, std::string_view text_pair) const;

  // Ids in, logits out. kInvalidArgument names the row with an id, type or length that the model
  // does not have.
  Outcome<std::vector<RowOutput>> forward(std::span<const TokenRow> rows) const;

 private:
  struct Impl;
  explicit Model(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

}  // namespace millrace
