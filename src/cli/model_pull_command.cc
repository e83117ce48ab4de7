// `millrace model pull`: fetches a model from the Hugging Face hub into its cache.
#include <memory>

#include "cli/cli.h"
#include "cli/console.h"
#include "cli/signals.h"
#include "jobs/hub.h"

namespace millrace::cli {
namespace {

int run_model_pull(const std::string& name, const std::string& revision, const Context& context) {
  auto model = jobs::parse_hub_model(name);
  if (model && !revision.empty()) model = jobs::parse_hub_model(model->repository + "@" + revision);
  if (!model) return refuse(model.error());
  jobs::HubOptions options = jobs::hub_options(context.environment);
  options.notice = [](std::string_view text) { say(text); };
  cancel_on_signals(options.cancel);
  const auto folder = jobs::pull_hub_model(*model, options);
  if (!folder) {
    say(folder.error().message);
    return options.cancel.cancelled() ? kExitInterrupted : kExitNotStarted;
  }
  put(folder->string() + "\n");
  return kExitOk;
}

}  // namespace

void add_model_pull_command(CLI::App* model, const Context& context, Run* run) {
  CLI::App* command =
      model->add_subcommand("pull", "Fetch a model from the Hugging Face hub and print its folder");
  struct Arguments {
    std::string name, revision;
  };
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("MODEL", arguments->name, "ORG/NAME[@REVISION], with or without hf://")
      ->required();
  command->add_option("--revision", arguments->revision, "Branch, tag or commit (default: main)");
  command->footer(
      "The cache is that of Hugging Face's tools; HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN "
      "and\n"
      "HF_HUB_OFFLINE mean what they mean there. A pull that broke off goes on where it was.");
  command->callback([=, &context] {
    *run = [=, &context] { return run_model_pull(arguments->name, arguments->revision, context); };
  });
}

}  // namespace millrace::cli
