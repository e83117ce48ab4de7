#include "server/described_request.h"

#include <simdjson.h>

#include <array>
#include <span>

namespace millrace::server {
namespace {

namespace ondemand = simdjson::ondemand;

struct Member {
  std::string_view name, value;
};

constexpr Member kOfProcessing[] = {
    {"InputFilter", "\"$\""}, {"OutputFilter", "\"$\""}, {"JoinSource", "\"None\""}};
constexpr Member kOfInput[] = {{"CompressionType", "\"None\""}, {"SplitType", "\"None\""}};
constexpr Member kOfOutput[] = {{"AssembleWith", "\"None\""}, {"KmsKeyId", "\"\""}};

// A member of the reply that is there even if the request has none.
struct Completed {
  std::string_view name;
  std::span<const Member> defaults;
};
constexpr std::array<Completed, 4> kCompleted = {{{"DataProcessing", kOfProcessing},
                                                  {"TransformInput", kOfInput},
                                                  {"TransformOutput", kOfOutput},
                                                  {"Environment", {}}}};

void append_member(const Member& member, std::string* out) {
  out->append("\"").append(member.name).append("\":").append(member.value);
}

// Those of the defaults that are not given, and the end of their object. `comma`: one is due.
void append_missing(std::span<const Member> defaults, const std::array<bool, 3>& given, bool comma,
                    std::string* out) {
  for (size_t i = 0; i < defaults.size(); ++i) {
    if (given[i]) continue;
    if (comma) out->push_back(',');
    append_member(defaults[i], out);
    comma = true;
  }
  out->push_back('}');
}

// `object`, and those of the defaults that it lacks.
simdjson::error_code append_completed(ondemand::object object, std::span<const Member> defaults,
                                      std::string* out) {
  std::array<bool, 3> given{};
  bool empty = true;
  for (auto field : object) {
    std::string_view key;
    if (const auto error = field.unescaped_key().get(key)) return error;
    empty = false;
    for (size_t i = 0; i < defaults.size(); ++i) given[i] |= key == defaults[i].name;
  }
  std::string_view text;
  if (const auto error = object.reset().error()) return error;
  if (const auto error = object.raw_json().get(text)) return error;
  out->append(text.substr(0, text.rfind('}')));
  append_missing(defaults, given, !empty, out);
  return simdjson::SUCCESS;
}

simdjson::error_code append_all(ondemand::parser* parser, simdjson::padded_string_view request,
                                std::array<bool, kCompleted.size()>* given, std::string* out) {
  ondemand::document document;
  if (const auto error = parser->iterate(request).get(document)) return error;
  ondemand::object object;
  if (const auto error = document.get_object().get(object)) return error;
  for (auto field : object) {
    std::string_view key;
    if (const auto error = field.unescaped_key().get(key)) return error;
    if (key == "Tags" || key == "TransformJobName") continue;
    out->append("\"").append(key).append("\":");
    size_t i = 0;
    while (i < kCompleted.size() && kCompleted[i].name != key) ++i;
    if (i < kCompleted.size()) {
      (*given)[i] = true;
      ondemand::object part;
      if (const auto error = field.value().get_object().get(part)) return error;
      if (const auto error = append_completed(part, kCompleted[i].defaults, out)) return error;
    } else {
      std::string_view text;
      if (const auto error = simdjson::to_json_string(field.value()).get(text)) return error;
      out->append(text);
    }
    out->push_back(',');
  }
  return simdjson::SUCCESS;
}

}  // namespace

std::string described_request(std::string_view request) {
  static thread_local ondemand::parser parser;
  std::string padded(request);
  padded.append(simdjson::SIMDJSON_PADDING, ' ');
  const simdjson::padded_string_view text(padded.data(), request.size(), padded.size());
  std::string out;
  std::array<bool, kCompleted.size()> given{};
  if (append_all(&parser, text, &given, &out) != simdjson::SUCCESS) {
    out.clear();
    given = {};
  }
  for (size_t i = 0; i < kCompleted.size(); ++i) {
    if (given[i]) continue;
    out.append("\"").append(kCompleted[i].name).append("\":{");
    append_missing(kCompleted[i].defaults, {}, false, &out);
    out.push_back(',');
  }
  return out;
}

}  // namespace millrace::server
