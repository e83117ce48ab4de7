// `millrace model inspect`: what a model folder holds and how it would be computed here. The other
// commands on models have files of their own.
#include <fmt/format.h>

#include <memory>
#include <thread>

#include "cli/cli.h"
#include "cli/console.h"
#include "model/text_classification_model.h"
#include "nn/kernels.h"

namespace millrace::cli {
namespace {

// Which kernels are in use and why, and what each precision comes to with them.
std::string render_kernels(const model::ModelInfo& info, bool forced) {
  const nn::Kernels& kernels = *nn::find_kernels(info.isa);
  const auto names = nn::kernel_names();
  const char* why = forced ? "as MILLRACE_ISA asks" : "the best that this CPU runs";
  std::string out =
      fmt::format("{:<18}{}, {}; it runs: {}\n", "kernels", info.isa, why, fmt::join(names, ", "));
  const auto row = [&out](std::string_view precision, std::string_view how) {
    out += fmt::format("  {:<16}{}\n", precision, how);
  };
  row("fp32", kernels.floats);
  row("int8", kernels.bytes);
  row("bf16", kernels.halves != nullptr ? kernels.halves
                                        : "none, for it needs AVX512-BF16: computed in fp32");
  return out;
}

std::string render_info(const std::filesystem::path& folder, const model::ModelInfo& info,
                        bool has_tokenizer, bool forced) {
  std::string out;
  const auto row = [&out](std::string_view name, std::string_view value) {
    out += fmt::format("{:<18}{}\n", name, value);
  };
  row("folder", folder.string());
  row("architecture", info.architecture);
  row("shape", fmt::format("{} layers, {} wide, {} heads, feed-forward {}", info.layers,
                           info.hidden_size, info.heads, info.intermediate_size));
  row("parameters", fmt::format("{:.1f} M", static_cast<double>(info.parameters) / 1e6));
  row("vocabulary", fmt::format("{} pieces, up to {} tokens a text{}", info.vocab_size,
                                info.max_position_embeddings,
                                has_tokenizer ? "" : "; no tokenizer files in the folder"));
  row("labels", fmt::format("{}{}", fmt::join(info.labels, ", "),
                            info.multi_label ? " (multi-label: sigmoid)" : ""));
  row("languages", info.languages.empty() ? "not stated by the model card"
                                          : fmt::format("{}", fmt::join(info.languages, ", ")));
  row("precision", model::precision_name(info.precision));
  out += render_kernels(info, forced);
  row("digest", info.digest);
  row("numeric identity", info.numeric_identity);
  return out;
}

int run_inspect(const std::string& name, const Context& context) {
  const auto folder = model_folder(name, context);
  if (!folder) return refuse(folder.error());
  model::LoadOptions options;
  options.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const auto isa = context.environment.find("MILLRACE_ISA");
  if (isa != context.environment.end()) options.isa = isa->second;
  const auto model = model::TextClassificationModel::load(*folder, options);
  if (!model) return refuse(Error(model.error()).within("model " + name));
  put(render_info(*folder, (*model)->info(), (*model)->tokenizer() != nullptr,
                  !options.isa.empty()));
  return kExitOk;
}

}  // namespace

void add_model_command(CLI::App* app, const Context& context, Run* run) {
  CLI::App* command = app->add_subcommand("model", "Look at models, or answer HTTP with one");
  command->require_subcommand(1);
  add_model_serve_command(command, context, run);
  add_model_pull_command(command, context, run);
  add_model_convert_command(command, context, run);
  CLI::App* inspect =
      command->add_subcommand("inspect", "Print a model's shape, labels, kernels and identity");
  auto folder = std::make_shared<std::string>();
  inspect->add_option("DIR", *folder, "Model folder, model.tar.gz or shipped model's name")
      ->required();
  inspect->callback(
      [=, &context] { *run = [=, &context] { return run_inspect(*folder, context); }; });
}

}  // namespace millrace::cli
