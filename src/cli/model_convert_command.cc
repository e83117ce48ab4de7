// `millrace model convert`: a copy of a model folder whose weights are one safetensors file.
#include <fmt/format.h>

#include <memory>
#include <system_error>

#include "cli/cli.h"
#include "cli/console.h"
#include "model/safetensors.h"
#include "model/safetensors_writer.h"

namespace millrace::cli {
namespace {

namespace fs = std::filesystem;

// Weights in any form stay behind; folders (code/) do not belong to a Hugging Face model.
bool is_copied(const fs::directory_entry& file) {
  std::error_code ignored;
  const std::string name = file.path().filename().string();
  return file.is_regular_file(ignored) && !name.ends_with(".safetensors") &&
         !name.ends_with(".bin") && !name.ends_with(".index.json");
}

Status convert(const fs::path& from, const fs::path& to) {
  MR_ASSIGN(const model::Checkpoint checkpoint, model::Checkpoint::open(from));
  std::error_code error;
  fs::create_directories(to, error);
  if (!error && !fs::is_empty(to, error)) {
    return fail(invalid_argument(to.string() + ": the folder is not empty"));
  }
  for (fs::directory_iterator file(from, error), end; !error && file != end;
       file.increment(error)) {
    if (is_copied(*file)) fs::copy_file(file->path(), to / file->path().filename(), error);
    if (error) break;
  }
  if (error) return fail(errno_error("copy to " + to.string(), error.value()));
  return model::write_safetensors(checkpoint.tensors(), to / "model.safetensors");
}

int run_model_convert(const std::string& name, const std::string& to, const Context& context) {
  const auto folder = model_folder(name, context);
  if (!folder) return refuse(folder.error());
  if (const Status done = convert(*folder, to); !done) {
    return refuse(Error(done.error()).within("model " + name));
  }
  return kExitOk;
}

}  // namespace

void add_model_convert_command(CLI::App* model, const Context& context, Run* run) {
  CLI::App* command = model->add_subcommand(
      "convert", "Write a model folder anew with its weights in one safetensors file");
  struct Arguments {
    std::string from, to;
  };
  const auto arguments = std::make_shared<Arguments>();
  command
      ->add_option("MODEL", arguments->from,
                   "Model folder or archive: pytorch_model.bin or safetensors, in shards or not")
      ->required();
  command->add_option("FOLDER", arguments->to, "The new folder")->required();
  command->callback([=, &context] {
    *run = [=, &context] { return run_model_convert(arguments->from, arguments->to, context); };
  });
}

}  // namespace millrace::cli
