#include "server/api_patterns.h"

#include <algorithm>

#include "base/utf8.h"
#include "server/tag_characters.h"

namespace millrace::server {
namespace {

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alnum(char c) {
  return is_lower(c) || (c >= 'A' && c <= 'Z') || is_digit(c);
}

// Is every character a letter, a digit or one of `more`?
bool only(std::string_view text, std::string_view more) {
  return std::all_of(text.begin(), text.end(), [more](char c) {
    return is_alnum(c) || more.find(c) != std::string_view::npos;
  });
}

bool some(std::string_view text, std::string_view more) {
  return !text.empty() && only(text, more);
}

// Letters and digits, at most `count` of them, with any number of dashes between.
bool dashed_name(std::string_view text, size_t count) {
  if (!some(text, "-") || text.front() == '-' || text.back() == '-') return false;
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), is_alnum)) <= count;
}

bool identifier(std::string_view text) {
  return some(text, "_") && !is_digit(text.front());
}

bool take(std::string_view* text, std::string_view prefix) {
  if (!text->starts_with(prefix)) return false;
  text->remove_prefix(prefix.size());
  return true;
}

// Takes what `allowed` accepts from the front.
template <class Allowed>
std::string_view take_while(std::string_view* text, Allowed allowed) {
  const auto end = std::find_if_not(text->begin(), text->end(), allowed);
  const std::string_view taken = text->substr(0, static_cast<size_t>(end - text->begin()));
  text->remove_prefix(taken.size());
  return taken;
}

bool lower_or_dash(char c) {
  return is_lower(c) || c == '-';
}

// "arn:aws...:sagemaker:region:123456789012:"
bool take_sagemaker_arn(std::string_view* text) {
  if (!take(text, "arn:aws")) return false;
  take_while(text, lower_or_dash);
  if (!take(text, ":sagemaker:")) return false;
  take_while(text, [](char c) { return lower_or_dash(c) || is_digit(c); });
  return take(text, ":") && take_while(text, is_digit).size() == 12 && take(text, ":");
}

// What `\s` and, by its complement, `\S` mean.
bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

char32_t take_code_point(std::string_view* text) {
  const auto lead = static_cast<unsigned char>(text->front());
  const size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  char32_t value = size == 1 ? lead : lead & (0x7fU >> size);
  for (size_t i = 1; i < size; ++i) {
    value = (value << 6) | (static_cast<unsigned char>((*text)[i]) & 0x3fU);
  }
  text->remove_prefix(size);
  return value;
}

}  // namespace

bool matches_entity_name(std::string_view text) {
  return dashed_name(text, 63);
}
bool matches_experiment_name(std::string_view text) {
  return dashed_name(text, 120);
}
bool matches_model_name(std::string_view text) {
  return dashed_name(text, text.size());
}
bool matches_job_environment_key(std::string_view text) {
  return identifier(text) && text.size() <= 1024;
}
bool matches_environment_key(std::string_view text) {
  return identifier(text);
}
bool matches_anything(std::string_view) {
  return true;
}

// Java's `.` is everything but its line ends.
bool matches_line(std::string_view text) {
  return text.find_first_of("\n\r") == std::string_view::npos &&
         text.find("\xc2\x85") == std::string_view::npos &&
         text.find("\xe2\x80\xa8") == std::string_view::npos &&
         text.find("\xe2\x80\xa9") == std::string_view::npos;
}

bool matches_uri(std::string_view text) {
  if (!take(&text, "https://") && !take(&text, "s3://")) return false;
  const size_t host = std::min(text.find('/'), text.size());
  return host > 0 && matches_line(text.substr(host));
}

bool matches_kms_key(std::string_view text) {
  return only(text, ":/_-");
}

bool matches_ami_version(std::string_view text) {
  return dashed_name(text, text.size()) && text.find("--") == std::string_view::npos;
}

bool matches_tag(std::string_view text) {
  if (!is_utf8(text)) return false;
  while (!text.empty()) {
    const char32_t c = take_code_point(&text);
    const bool listed = c < 0x80 && std::string_view("_.:/=+-@").find(static_cast<char>(c)) !=
                                        std::string_view::npos;
    if (!listed && !is_letter_separator_or_number(c)) return false;
  }
  return true;
}

bool matches_name_contains(std::string_view text) {
  return some(text, "-");
}
bool matches_image(std::string_view text) {
  return !text.empty() && std::none_of(text.begin(), text.end(), is_space);
}
bool matches_channel(std::string_view text) {
  return some(text, ".-_");
}

bool matches_package(std::string_view text) {
  if (text.starts_with("arn:")) {
    if (!take_sagemaker_arn(&text)) return false;
    take_while(&text, lower_or_dash);
    if (!take(&text, "/")) return false;
  }
  const std::string_view name = take_while(&text, [](char c) { return is_alnum(c) || c == '-'; });
  if (!dashed_name(name, name.size()) || name.size() > 64) return false;
  if (text.empty()) return true;
  if (!take(&text, "/")) return false;
  const std::string_view version = take_while(&text, is_digit);
  return text.empty() && !version.empty() && version.size() <= 9;
}

bool matches_metrics_path(std::string_view text) {
  return take(&text, "/") && some(text, "/_.-") && text.find("..") == std::string_view::npos;
}

bool matches_role(std::string_view text) {
  if (!take(&text, "arn:aws")) return false;
  take_while(&text, lower_or_dash);
  if (!take(&text, ":iam::") || take_while(&text, is_digit).size() != 12) return false;
  return take(&text, ":role") && some(text, "_+=,.@-/") && text != "/";
}

bool matches_resource_arn(std::string_view text) {
  return take_sagemaker_arn(&text) && !text.empty() && matches_line(text);
}

bool matches_log_group(std::string_view text) {
  return some(text, ".-_/#");
}
bool matches_log_group_id(std::string_view text) {
  return only(text, "_#+=/:,.@-");
}
bool matches_log_stream(std::string_view text) {
  return text.find_first_of(":*") == std::string_view::npos;
}

}  // namespace millrace::server
