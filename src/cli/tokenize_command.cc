// `millrace tokenize`: text lines in, token ids out.
#include <fmt/format.h>

#include <iostream>
#include <memory>

#include "cli/cli.h"
#include "cli/console.h"
#include "model/tokenizer.h"

namespace millrace::cli {
namespace {

void append_ids(const model::Encoding& encoding, std::string* out) {
  out->push_back('[');
  for (size_t i = 0; i < encoding.ids.size(); ++i) {
    if (i > 0) out->push_back(',');
    fmt::format_to(std::back_inserter(*out), "{}", encoding.ids[i]);
  }
  out->append("]\n");
}

int run_tokenize(const std::string& model, const Context& context) {
  const auto folder = model_folder(model, context);
  if (!folder) return refuse(folder.error());
  const auto tokenizer = model::Tokenizer::load(*folder);
  if (!tokenizer) return refuse(tokenizer.error());
  model::Encoding encoding;
  std::string line;
  std::string out;
  while (std::getline(std::cin, line, '\n')) {
    (*tokenizer)->encode(line, (*tokenizer)->model_max_length(), &encoding);
    out.clear();
    append_ids(encoding, &out);
    if (!put(out)) break;
  }
  return kExitOk;
}

}  // namespace

void add_tokenize_command(CLI::App* app, const Context& context, Run* run) {
  CLI::App* command = app->add_subcommand(
      "tokenize", "Text lines on stdin to token ids: one JSON array for each line");
  auto model = std::make_shared<std::string>();
  command->add_option("--model", *model, "Folder with the tokenizer's files (default: sst2-small)")
      ->type_name("DIR");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print JSON arrays (always so)");
  command->callback([=, &context] {
    (void)json;
    *run = [=, &context] { return run_tokenize(*model, context); };
  });
}

}  // namespace millrace::cli
