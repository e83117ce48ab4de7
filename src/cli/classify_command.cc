// `millrace classify`: a quick try on texts given as arguments or lines of stdin.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/cli.h"
#include "cli/console.h"
#include "handler/classify_texts.h"
#include "jobs/backends.h"

namespace millrace::cli {
namespace {

// Lines that are classified together: enough to keep every core busy, few enough that a pipe sees
// answers soon.
constexpr size_t kLinesAtOnce = 2048;

struct ClassifyArguments {
  std::string model;
  bool json = false;
  std::vector<std::string> texts;
};

// Tabs and line ends would break the row: they become spaces.
std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\t' || c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

std::string render(const handler::ClassifiedText& result, const std::string& text, bool json) {
  if (!json) return result.label + "\t" + result.score_text + "\t" + one_line(text) + "\n";
  nlohmann::ordered_json line;
  line["label"] =
      result.label.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(result.label);
  // The shortest digits of the float, as a job writes them.
  line["score"] = result.score_text.empty()
                      ? nlohmann::ordered_json(nullptr)
                      : nlohmann::ordered_json::parse(result.score_text, nullptr, false);
  line["text"] = text;
  using nlohmann::ordered_json;
  return line.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

class Classifier {
 public:
  static Result<Classifier> make(const ClassifyArguments& arguments, const Context& context) {
    jobs::SettingLayers layers;
    layers.process_environment = context.environment;
    MR_ASSIGN(const jobs::Settings merged, jobs::merge_settings(layers));
    const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    MR_ASSIGN(const jobs::JobSettings settings, jobs::check_settings(merged, cores));
    MR_ASSIGN(const std::filesystem::path folder,
              model_folder(arguments.model.empty() ? settings.model : arguments.model, context));
    MR_ASSIGN(jobs::LoadedModel loaded,
              jobs::load_model({folder, folder.filename().string()}, settings));
    if (!loaded.model->info().notice.empty()) say(loaded.model->info().notice);
    return Classifier(std::move(loaded), settings.threads, arguments.json);
  }

  Status classify(const std::vector<std::string>& texts) const {
    MR_ASSIGN(const auto results,
              handler::classify_texts(loaded_.model, loaded_.options, texts, threads_));
    for (size_t i = 0; i < texts.size(); ++i) {
      if (!put(render(results[i], texts[i], json_)))
        return fail(internal_error("stdout is closed"));
    }
    return {};
  }

 private:
  Classifier(jobs::LoadedModel loaded, int threads, bool json)
      : loaded_(std::move(loaded)), threads_(threads), json_(json) {}

  jobs::LoadedModel loaded_;
  int threads_;
  bool json_;
};

Status classify_stdin(const Classifier& classifier) {
  std::vector<std::string> lines;
  std::string line;
  while (std::getline(std::cin, line, '\n')) {
    lines.push_back(line);
    // A person who types sees each answer; a pipe is read in blocks.
    if (lines.size() < kLinesAtOnce && std::cin.rdbuf()->in_avail() > 0) continue;
    MR_TRY(classifier.classify(lines));
    lines.clear();
    std::fflush(stdout);
  }
  return lines.empty() ? Status() : classifier.classify(lines);
}

int run_classify(const ClassifyArguments& arguments, const Context& context) {
  const auto classifier = Classifier::make(arguments, context);
  if (!classifier) return refuse(classifier.error());
  const Status done =
      arguments.texts.empty() ? classify_stdin(*classifier) : classifier->classify(arguments.texts);
  if (done) return kExitOk;
  say(done.error().message);
  return kExitFailed;
}

}  // namespace

void add_classify_command(CLI::App* app, const Context& context, Run* run) {
  CLI::App* command = app->add_subcommand(
      "classify", "Quick try: texts as arguments or lines of stdin -> label, score, text");
  auto arguments = std::make_shared<ClassifyArguments>();
  command->add_option("--model", arguments->model, "The model (default: sst2-small)")
      ->type_name("MODEL");
  command->add_flag("--json", arguments->json, "JSON Lines instead of tab-separated values");
  command->add_option("TEXT", arguments->texts, "Texts; none: lines of stdin");
  command->callback(
      [=, &context] { *run = [=, &context] { return run_classify(*arguments, context); }; });
}

}  // namespace millrace::cli
