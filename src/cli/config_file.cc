#include "cli/config_file.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

namespace millrace::cli {
namespace {

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") + 1 - begin);
}

}  // namespace

Result<ConfigLines> parse_config(std::string_view text) {
  ConfigLines lines;
  size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::string_view whole = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(whole.size() + 1, text.size()));
    const std::string_view line = trimmed(whole);
    if (line.empty() || line.front() == '#') continue;
    const size_t equals = line.find('=');
    const std::string_view name = trimmed(line.substr(0, equals));
    if (equals == line.npos || name.empty()) {
      return fail(invalid_argument("line " + std::to_string(number) +
                                   ": expected `name = value`, as in `port = 8800`"));
    }
    lines.emplace_back(name, trimmed(line.substr(equals + 1)));
  }
  return lines;
}

Status apply_config_file(const std::filesystem::path& file, CLI::App* command) {
  const std::string what = "configuration file " + file.string();
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(invalid_argument(what + ": cannot be read"));
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  auto lines = parse_config(text);
  if (!lines) return fail(std::move(lines).error().within(what));
  std::set<CLI::Option*> from_file;
  for (const auto& [name, value] : *lines) {
    CLI::Option* const option = command->get_option_no_throw("--" + name);
    if (option == nullptr || name == "config" || name == "help") {
      return fail(invalid_argument(what + ": there is no setting '" + name + "'"));
    }
    if (option->count() > 0 && !from_file.contains(option)) continue;
    from_file.insert(option);
    option->add_result(value);
  }
  for (CLI::Option* const option : from_file) {
    try {
      option->run_callback();
    } catch (const CLI::ParseError& error) {
      return fail(invalid_argument(what + ": " + error.what()));
    }
  }
  return {};
}

}  // namespace millrace::cli
