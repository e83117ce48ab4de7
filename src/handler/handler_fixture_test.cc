// What the tests of the native handler share; see handler_fixture.h.
#include "handler/handler_fixture.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "handler/cut_records.h"
#include "handler/native_handler.h"
#include "model/model_fixture.h"

namespace millrace::handler::testing {

namespace {

// Special pieces, then every letter, digit and some signs, alone and inside a word.
std::string vocabulary(size_t* size) {
  std::string lines = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  *size = 5;
  for (const char c : std::string("abcdefghijklmnopqrstuvwxyz0123456789.,!?'@#<>/;&:()_-")) {
    lines += std::string(1, c) + "\n##" + c + "\n";
    *size += 2;
  }
  return lines;
}

std::string config_with_labels(const model::testing::TestModel& model, const TinyModel& tiny) {
  std::string config = model::testing::config_json(model);
  for (size_t i = 0; i < tiny.labels.size(); ++i) {
    const std::string name = "\"L" + std::to_string(i) + "\"";
    config.replace(config.find(name), name.size(), "\"" + tiny.labels[i] + "\"");
  }
  const std::string kind =
      tiny.multi_label ? "multi_label_classification" : "single_label_classification";
  return "{\"problem_type\": \"" + kind + "\", " + config.substr(1);
}

Model make_model(const TinyModel& tiny) {
  model::testing::TestModel model;
  model.bert = tiny.bert;
  model.positions = 64;
  model.labels = tiny.labels.size();
  const std::string vocab = vocabulary(&model.vocabulary);
  model::testing::randomize(&model, 7);
  const model::testing::TempFolder folder;
  model::testing::write_model(&model, folder.path());
  model::testing::write_file(folder.path() / "config.json", config_with_labels(model, tiny));
  model::testing::write_file(folder.path() / "vocab.txt", vocab);
  model::testing::write_file(folder.path() / "tokenizer_config.json", "{\"do_lower_case\": true}");
  model::testing::write_file(folder.path() / "README.md",
                             "---\nlanguage: " + tiny.language + "\n---\n");
  auto loaded = model::TextClassificationModel::load(folder.path(), {});
  EXPECT_TRUE(loaded) << loaded.error().message;
  return *loaded;
}

}  // namespace

Model tiny_model(const TinyModel& description) {
  static std::map<std::string, Model> made;
  std::string key = description.language + (description.bert ? " bert" : "") +
                    (description.multi_label ? " multi" : "");
  for (const std::string& label : description.labels) key += "\n" + label;
  Model& model = made[key];
  if (model == nullptr) model = make_model(description);
  return model;
}

NativeOptions options_for(const Model& model, const Settings& settings) {
  auto options = parse_native_options(settings, model->info().labels);
  EXPECT_TRUE(options) << options.error().message;
  return options.value_or(NativeOptions());
}

std::unique_ptr<InferenceHandler> tiny_handler(const Settings& settings, int threads,
                                               const TinyModel& description) {
  const Model model = tiny_model(description);
  auto handler = make_native_handler(model, options_for(model, settings), threads);
  EXPECT_TRUE(handler) << handler.error().message;
  return std::move(*handler);
}

InvokeRequest request_of(const std::string& content_type, const std::string& body,
                         const std::string& accept, bool lines) {
  InvokeRequest request;
  request.content_type = content_type;
  request.accept = accept;
  request.body = body;
  if (lines) {
    cut_records(record::MediaType::kJsonLines, ',', body, &request.records);
  } else {
    request.records = {{0, static_cast<uint32_t>(body.size())}};
  }
  return request;
}

Result<InvokeReply> ask(InferenceHandler& handler, InvokeRequest request) {
  return handler.invoke(std::move(request)).get();
}

std::string answer(InferenceHandler& handler, const std::string& content_type,
                   const std::string& body, const std::string& accept) {
  const auto reply = ask(handler, request_of(content_type, body, accept));
  if (!reply) return "error: " + reply.error().message;
  if (!reply->errors.empty()) {
    return "error " + std::to_string(reply->errors[0].record) + ": " + reply->errors[0].message;
  }
  return reply->body;
}

std::string test_data(const std::string& path) {
  const char* root = std::getenv("MILLRACE_TEST_DATA");
  return (root != nullptr ? std::string(root) : MILLRACE_SOURCE_DIR "/../shared") + "/" + path;
}

}  // namespace millrace::handler::testing
