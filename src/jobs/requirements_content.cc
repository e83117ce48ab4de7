#include "jobs/requirements_content.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <string_view>
#include <system_error>
#include <vector>

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;

std::string read_all(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// Words that may name files: what options, versions and URLs are separated by ends one.
std::vector<std::string> words_of(std::string_view text) {
  constexpr std::string_view kBetween = " \t\r\n=;@,\"'";
  std::vector<std::string> words;
  for (size_t at = text.find_first_not_of(kBetween); at != text.npos;) {
    const size_t end = std::min(text.find_first_of(kBetween, at), text.size());
    std::string_view word = text.substr(at, end - at);
    for (const std::string_view before : {"-r", "-c", "file://", "file:"}) {
      if (word.starts_with(before)) word.remove_prefix(before.size());
    }
    if (!word.empty()) words.emplace_back(word);
    at = text.find_first_not_of(kBetween, end);
  }
  return words;
}

void add(const fs::path& file, std::set<fs::path>* seen, Xxh3* digest) {
  if (!seen->insert(file).second) return;
  const std::string content = read_all(file);
  digest->field(content);
  if (file.extension() != ".txt" && file.extension() != ".in") return;  // a package
  for (const std::string& word : words_of(content)) {
    const fs::path named = (file.parent_path() / word).lexically_normal();
    std::error_code ignored;
    if (fs::is_regular_file(named, ignored)) add(named, seen, digest);
  }
}

}  // namespace

void add_requirements(const fs::path& file, Xxh3* digest) {
  std::set<fs::path> seen;
  add(fs::absolute(file).lexically_normal(), &seen, digest);
}

}  // namespace millrace::jobs
