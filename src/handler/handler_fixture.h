// For tests of the native handler: a tiny random model with a letter-by-letter vocabulary, and
// short ways to ask it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "handler/inference_handler.h"
#include "handler/native_options.h"
#include "model/text_classification_model.h"

namespace millrace::handler::testing {

using Settings = std::map<std::string, std::string>;
using Model = std::shared_ptr<const model::TextClassificationModel>;

struct TinyModel {
  std::vector<std::string> labels = {"NEGATIVE", "POSITIVE"};
  bool bert = false;         // token types matter
  bool multi_label = false;  // sigmoid
  std::string language = "en";
};
// Made once for each description, kept until the tests end. Rows have at most 64 tokens.
Model tiny_model(const TinyModel& description = {});

NativeOptions options_for(const Model& model, const Settings& settings = {});
std::unique_ptr<InferenceHandler> tiny_handler(const Settings& settings = {}, int threads = 2,
                                               const TinyModel& description = {});

// A request whose records are the lines of `body` (all of it where `lines` is false).
InvokeRequest request_of(const std::string& content_type, const std::string& body,
                         const std::string& accept = "", bool lines = true);
Result<InvokeReply> ask(InferenceHandler& handler, InvokeRequest request);
// The reply's body; "error: ..." where the request, and "error N: ..." where its record N, failed.
std::string answer(InferenceHandler& handler, const std::string& content_type,
                   const std::string& body, const std::string& accept = "");

// Where real data lies: MILLRACE_TEST_DATA, else ../shared beside the checkout.
std::string test_data(const std::string& path);

}  // namespace millrace::handler::testing
