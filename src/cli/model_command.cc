// `millrace model inspect`: what a model, or each step of a pipeline, is and how it would run here.
// The other commands on models have files of their own.
#include <fmt/format.h>

#include <memory>
#include <thread>

#include "cli/cli.h"
#include "cli/console.h"
#include "jobs/backends.h"
#include "jobs/python_model.h"
#include "model/text_classification_model.h"
#include "nn/kernels.h"

namespace millrace::cli {
namespace {

std::string row(std::string_view name, std::string_view value) {
  return fmt::format("{:<18}{}\n", name, value);
}

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
  const auto add = [&out](std::string_view name, std::string_view value) {
    out += row(name, value);
  };
  add("folder", folder.string());
  add("architecture", info.architecture);
  add("shape", fmt::format("{} layers, {} wide, {} heads, feed-forward {}", info.layers,
                           info.hidden_size, info.heads, info.intermediate_size));
  add("parameters", fmt::format("{:.1f} M", static_cast<double>(info.parameters) / 1e6));
  add("vocabulary", fmt::format("{} pieces, up to {} tokens a text{}", info.vocab_size,
                                info.max_position_embeddings,
                                has_tokenizer ? "" : "; no tokenizer files in the folder"));
  add("labels", fmt::format("{}{}", fmt::join(info.labels, ", "),
                            info.multi_label ? " (multi-label: sigmoid)" : ""));
  add("languages", info.languages.empty() ? "not stated by the model card"
                                          : fmt::format("{}", fmt::join(info.languages, ", ")));
  add("precision", model::precision_name(info.precision));
  out += render_kernels(info, forced);
  add("digest", info.digest);
  add("numeric identity", info.numeric_identity);
  return out;
}

struct InspectArguments {
  std::vector<std::string> models;
  std::string pipeline;
};

std::string render_python(const jobs::PythonModel& model) {
  std::string out = row("folder", model.model_folder.string());
  out += row("runs as", "Python, behind AWS's toolkit");
  out += row("code", (model.code_folder / model.program).string());
  if (!model.requirements.empty()) out += row("requirements", model.requirements.string());
  return out;
}

Result<std::string> inspect_native(const std::filesystem::path& folder, const Context& context) {
  model::LoadOptions options;
  options.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const auto isa = context.environment.find("MILLRACE_ISA");
  if (isa != context.environment.end()) options.isa = isa->second;
  MR_ASSIGN(const auto model, model::TextClassificationModel::load(folder, options));
  return render_info(folder, model->info(), model->tokenizer() != nullptr, !options.isa.empty());
}

Result<std::string> inspect(const jobs::StepLayer& step, const Context& context) {
  const auto command = step.environment.find("MILLRACE_MODEL_COMMAND");
  if (command != step.environment.end()) {
    return row("runs as", "a server that is started") + row("command", command->second);
  }
  if (jobs::is_model_url(step.model)) {
    return row("runs as", "a server that runs already") + row("address", step.model);
  }
  const auto hub = step.environment.find("HF_MODEL_ID");
  const bool by_hub = step.model.empty() && hub != step.environment.end();
  MR_ASSIGN(const auto folder, model_folder(by_hub ? "hf://" + hub->second : step.model, context));
  MR_ASSIGN(const auto python,
            jobs::find_python_model(folder, step.environment, artifact_options(context)));
  return python ? render_python(*python) : inspect_native(folder, context);
}

// One model, or the steps of a pipeline.
Result<std::vector<jobs::StepLayer>> models_of(const InspectArguments& arguments) {
  if (!arguments.pipeline.empty()) {
    if (!arguments.models.empty()) {
      return fail(invalid_argument("--pipeline names the models; DIR does not go with it"));
    }
    return read_pipeline_file(arguments.pipeline);
  }
  std::vector<jobs::StepLayer> steps;
  for (const std::string& model : arguments.models) steps.push_back({"", model, "", {}});
  if (steps.empty()) return fail(invalid_argument("name a model, or --pipeline FILE"));
  return steps;
}

int run_inspect(const InspectArguments& arguments, const Context& context) {
  const auto steps = models_of(arguments);
  if (!steps) return refuse(steps.error());
  std::string out;
  for (size_t i = 0; i < steps->size(); ++i) {
    const jobs::StepLayer& step = (*steps)[i];
    auto told = inspect(step, context);
    if (!told) return refuse(std::move(told).error().within("model " + step.model));
    if (steps->size() > 1) {
      const std::string& name = step.name.empty() ? step.model : step.name;
      out += fmt::format("{}step {}{}\n", i == 0 ? "" : "\n", i + 1,
                         name.empty() ? "" : " (" + name + ")");
    }
    out += *told;
  }
  put(out);
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
  auto arguments = std::make_shared<InspectArguments>();
  inspect->add_option("DIR", arguments->models,
                      "Model folder, model.tar.gz or shipped model's name; several: a pipeline");
  inspect->add_option("--pipeline", arguments->pipeline, "A pipeline, as transform takes it")
      ->type_name("FILE");
  inspect->callback(
      [=, &context] { *run = [=, &context] { return run_inspect(*arguments, context); }; });
}

}  // namespace millrace::cli
