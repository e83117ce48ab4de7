// The native handler: text classification inside the process.
#pragma once

#include <memory>

#include "handler/inference_handler.h"
#include "handler/native_options.h"
#include "model/text_classification_model.h"

namespace millrace::handler {

// Starts `threads` encoder workers, which stop when the handler is destroyed. `options` as parsed
// for this model. The model must have a tokenizer.
Result<std::unique_ptr<InferenceHandler>> make_native_handler(
    std::shared_ptr<const model::TextClassificationModel> model, NativeOptions options,
    int threads);

}  // namespace millrace::handler
