#include "store/aws_files.h"

#include <algorithm>

namespace millrace::store {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\f\v";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

// A value ends where white space is followed by '#' or ';'.
std::string_view without_comment(std::string_view value) {
  for (size_t i = 1; i < value.size(); ++i) {
    const bool mark = value[i] == '#' || value[i] == ';';
    if (mark && (value[i - 1] == ' ' || value[i - 1] == '\t')) return trimmed(value.substr(0, i));
  }
  return value;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// Reads `text` line by line; `section_of` answers where the properties of a "[...]" go (null: to
// nowhere).
template <class SectionOf>
void read_ini(std::string_view text, SectionOf section_of) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark) text.remove_prefix(3);
  AwsSection* section = nullptr;
  std::string parent;  // the property that indented lines belong to
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::string_view content = trimmed(line);
    if (content.empty() || content.front() == '#' || content.front() == ';') continue;
    if (line.front() == '[') {
      const size_t close = content.find(']');
      section = close == content.npos ? nullptr : section_of(trimmed(content.substr(1, close - 1)));
      parent.clear();
      continue;
    }
    const size_t equals = content.find('=');
    if (section == nullptr || equals == content.npos) continue;
    const std::string name = lower(trimmed(content.substr(0, equals)));
    const std::string_view value = without_comment(trimmed(content.substr(equals + 1)));
    const bool nested = line.front() == ' ' || line.front() == '\t';
    if (nested && !parent.empty()) {
      (*section)[parent + "." + name] = std::string(value);
    } else {
      (*section)[name] = std::string(value);
      parent = value.empty() ? name : "";
    }
  }
}

}  // namespace

void read_aws_config(std::string_view text, AwsFiles* files) {
  AwsSection plain_default;
  bool named_default = false;
  read_ini(text, [&](std::string_view title) -> AwsSection* {
    const size_t space = std::min(title.find_first_of(" \t"), title.size());
    const std::string_view kind = title.substr(0, space);
    std::string_view name = trimmed(title.substr(space));
    if (name.size() >= 2 && (name.front() == '"' || name.front() == '\'') &&
        name.back() == name.front()) {
      name = name.substr(1, name.size() - 2);
    }
    if (name.empty()) return title == "default" ? &plain_default : nullptr;
    if (kind == "sso-session") return &files->sso_sessions[std::string(name)];
    if (kind == "services") return &files->services[std::string(name)];
    if (kind != "profile") return nullptr;
    named_default = named_default || name == "default";
    return &files->profiles[std::string(name)];
  });
  // "[profile default]" hides "[default]".
  if (!named_default && !plain_default.empty()) {
    for (const auto& [name, value] : plain_default) files->profiles["default"][name] = value;
  }
}

void read_aws_credentials(std::string_view text, AwsFiles* files) {
  AwsFiles found;
  read_ini(text, [&](std::string_view title) -> AwsSection* {
    return title.empty() ? nullptr : &found.profiles[std::string(title)];
  });
  for (const auto& [name, section] : found.profiles) {
    AwsSection& profile = files->profiles[name];
    // Keys belong together: half a pair from each file would be no pair.
    if (section.count("aws_access_key_id") != 0) {
      for (const char* key : {"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}) {
        profile.erase(key);
      }
    }
    for (const auto& [property, value] : section) profile[property] = value;
  }
}

}  // namespace millrace::store
