// Ids in, logits out: rows are sorted by length into packs, and each thread takes the next pack
// with an encoder of its own.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/result.h"
#include "millrace/model.h"
#include "model/text_classification_model.h"

namespace millrace::api {

// Encoders that are not in use, kept between calls because their buffers are large.
class EncoderPool {
 public:
  explicit EncoderPool(std::shared_ptr<const model::TextClassificationModel> model);
  model::Encoder take();
  void give_back(model::Encoder encoder);

 private:
  const std::shared_ptr<const model::TextClassificationModel> model_;
  std::mutex mutex_;
  std::vector<model::Encoder> idle_;
};

// invalid_argument names the row that the model cannot read.
Status check_rows(const model::ModelInfo& info, std::span<const TokenRow> rows);

// REQUIRES: check_rows accepts the rows.
std::vector<RowOutput> forward_rows(const model::ModelInfo& info, EncoderPool& encoders,
                                    std::span<const TokenRow> rows, int threads);

}  // namespace millrace::api
