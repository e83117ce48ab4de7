// The native handler: text classification inside the process.
#pragma once

#include <filesystem>
#include <memory>

#include "handler/inference_handler.h"
#include "handler/native_options.h"
#include "handler/result_cache.h"
#include "model/text_classification_model.h"

namespace millrace::handler {

// Starts `threads` encoder workers, which stop when the handler is destroyed. `options` as parsed
// for this model. The model must have a tokenizer. `results`: opened by open_result_cache for the
// same model and options; null: every row is computed.
Result<std::unique_ptr<InferenceHandler>> make_native_handler(
    std::shared_ptr<const model::TextClassificationModel> model, NativeOptions options, int threads,
    std::shared_ptr<ResultCache> results = nullptr);

// Fails where the folder cannot be made.
Result<std::shared_ptr<ResultCache>> open_result_cache(const model::TextClassificationModel& model,
                                                       const NativeOptions& options,
                                                       const std::filesystem::path& folder,
                                                       uint64_t bytes_max);

}  // namespace millrace::handler
