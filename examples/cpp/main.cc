// Reviews in, sentiment out, three ways: texts, token ids, and a whole file.
//   classify_reviews MODEL [REVIEWS.csv OUTPUT.csv]
// MODEL is a folder in Hugging Face layout or the name of a shipped model. The CSV file has a
// header and a column `text`.
#include <millrace/millrace.h>

#include <iostream>
#include <string>
#include <vector>

namespace {

int classify(const millrace::Model& model) {
  const std::vector<std::string> texts = {"I love this app, it just works.",
                                          "Crashes every time since the last update."};
  const auto answers = model.classify(texts);
  if (!answers) {
    std::cerr << answers.failure().message << "\n";
    return 1;
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const millrace::Classification& answer = answers.value()[i];
    std::cout << answer.label << "\t" << answer.score << "\t" << texts[i] << "\n";
  }

  // The same in two steps: what the model reads, and what it computes.
  const auto row = model.tokenize(texts[0]);
  if (!row) {
    std::cerr << row.failure().message << "\n";
    return 1;
  }
  const std::vector<millrace::TokenRow> rows = {row.value()};
  const auto outputs = model.forward(rows);
  if (!outputs) {
    std::cerr << outputs.failure().message << "\n";
    return 1;
  }
  std::cout << rows[0].ids.size() << " ids, logits";
  for (const float logit : outputs.value()[0].logits) std::cout << " " << logit;
  std::cout << "\n";
  return 0;
}

int transform(const std::string& model, const std::string& input, const std::string& output) {
  millrace::TransformRequest request;
  request.settings = {{"model", model},       {"input", input},        {"output", output},
                      {"csv-header", "true"}, {"text-column", "text"}, {"join-source", "Input"}};
  const auto summary = millrace::run_transform(request);
  if (!summary) {
    std::cerr << summary.failure().message << "\n";
    return 2;
  }
  for (const millrace::TransformedObject& object : summary->objects) {
    if (!object.error.empty()) std::cerr << object.error << "\n";
  }
  std::cout << summary->records << " records -> " << output << "\n";
  return summary->status == millrace::TransformStatus::kCompleted ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 4) {
    std::cerr << "usage: classify_reviews MODEL [REVIEWS.csv OUTPUT.csv]\n";
    return 2;
  }
  const auto model = millrace::Model::load(argv[1]);
  if (!model) {
    std::cerr << model.failure().message << "\n";
    return 2;
  }
  std::cout << "Millrace " << millrace::kVersion << ", " << model->description().architecture
            << ", " << model->description().isa << "\n";
  const int classified = classify(*model);
  if (classified != 0 || argc == 2) return classified;
  return transform(argv[1], argv[2], argv[3]);
}
