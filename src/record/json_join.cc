// JsonJoiner on simdjson's On-Demand API: one walk over the record copies it compactly into the
// output, every number and string as the slice it is. An object's members are written in the order
// in which they come; only where that is not the bytewise order of the keys, the object is written
// once more, sorted. simdjson decides whether a text is JSON, but skims what it skips: so nothing
// is skipped and every scalar is checked here. find_json_fault() finds the words for the user.
#include <simdjson.h>

#include <algorithm>
#include <cstring>

#include "base/json_check.h"
#include "base/limits.h"
#include "record/join.h"

namespace millrace::record {

namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::string_view kWhiteSpace = " \t\n\r";
// As append_key() takes them: up to the closing quote.
constexpr char kInputKey[] = "SageMakerInput\"";
constexpr char kOutputKey[] = "SageMakerOutput\"";
// Offsets in the joined text are 32 bits wide.
constexpr size_t kJoinedBytesMax = size_t{1} << 31;
// Buffers that one huge record blew up are given back.
constexpr size_t kIdleBufferBytesMax = 8 * 1024 * 1024;

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(kWhiteSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kWhiteSpace) - first + 1);
}

// Nothing but white space follows the document that was walked.
bool at_end(ondemand::document& document) {
  return document.current_location().error() == simdjson::OUT_OF_BOUNDS;
}

bool scalar_valid(std::string_view token) {
  if (token.front() == '"') {
    return token.size() >= 2 && token.back() == '"' &&
           json_escapes_valid(token.substr(1, token.size() - 2));
  }
  if (token.front() == 't') return token == "true";
  if (token.front() == 'f') return token == "false";
  if (token.front() == 'n') return token == "null";
  return scan_json_number(token) == token.size();
}

Error fault_of(std::string_view text) {
  const auto fault = find_json_fault(text, limits::kJsonDepthMax);
  return fault ? json_fault_error(*fault) : internal_error("simdjson refused valid JSON");
}

}  // namespace

// Everything below answers false where the text is not JSON; what was appended by then is dropped.
struct JsonJoiner::Impl {
  // `"key":value` in the output, from the join's start on.
  struct Member {
    uint32_t start = 0;
    uint32_t end = 0;
    uint32_t key = 0;  // of the decoded key: in the output, or in `decoded`
    uint32_t key_length = 0;
    bool key_decoded = false;
  };
  // An object that is being written.
  struct OpenObject {
    size_t first_member = 0;
    size_t decoded_start = 0;
    size_t content_start = 0;  // after '{'
    bool sorted = true;
  };

  // `key`: the result's, as append_key() takes it.
  Status join(std::string_view record, std::string_view result, const char* key);
  Status canonicalize(std::string_view document);
  bool append_document(std::string_view text);
  bool append_root_members(std::string_view text, OpenObject* object);
  bool append_value(ondemand::value& value, size_t depth);
  bool append_scalar(std::string_view token);
  bool append_array(ondemand::array& array, size_t depth);
  bool append_object(ondemand::object& from, size_t depth);
  bool append_members(ondemand::object& from, size_t depth, OpenObject* object);
  bool append_key(const char* raw, OpenObject* object);

  OpenObject open_object();
  void start_member(const OpenObject& object);
  void end_member();
  void close_object(const OpenObject& object);

  simdjson::padded_string_view pad(std::string_view text);
  void release_if_huge();

  uint32_t position() const { return static_cast<uint32_t>(out->size() - base); }
  std::string_view key_of(const Member& member) const {
    if (member.key_decoded) {
      return std::string_view(decoded).substr(member.key, member.key_length);
    }
    return std::string_view(*out).substr(base + member.key, member.key_length);
  }

  ondemand::parser parser;
  std::string padded;           // the text, then simdjson's padding
  std::vector<Member> members;  // of all open objects: a stack
  std::string decoded;          // their keys, where a key has escapes: likewise
  std::string sorted;           // scratch for close_object
  std::string* out = nullptr;
  size_t base = 0;  // where in *out this join begins
};

Status JsonJoiner::Impl::join(std::string_view record, std::string_view result, const char* key) {
  const auto fault_in = [](const char* what, std::string_view text) {
    return fault_of(text).within(what);
  };
  if (record.size() + result.size() > kJoinedBytesMax) {
    return fail(bad_input("join: record and result are larger than 2 GiB together"));
  }
  members.clear();
  decoded.clear();
  OpenObject object = open_object();
  if (trimmed(record).starts_with('{')) {
    if (!append_root_members(record, &object)) return fail(fault_in("join the record", record));
  } else {
    start_member(object);
    append_key(kInputKey, &object);
    if (!append_document(record)) return fail(fault_in("join the record", record));
    end_member();
  }
  start_member(object);
  append_key(key, &object);
  if (!append_document(result)) return fail(fault_in("join the model's reply", result));
  end_member();
  close_object(object);
  return {};
}

Status JsonJoiner::Impl::canonicalize(std::string_view document) {
  if (document.size() > kJoinedBytesMax) return fail(bad_input("the JSON is larger than 2 GiB"));
  members.clear();
  decoded.clear();
  if (!append_document(document)) return fail(fault_of(document));
  return {};
}

simdjson::padded_string_view JsonJoiner::Impl::pad(std::string_view text) {
  padded.resize(text.size() + simdjson::SIMDJSON_PADDING);
  std::memcpy(padded.data(), text.data(), text.size());
  std::memset(padded.data() + text.size(), 0, simdjson::SIMDJSON_PADDING);
  return simdjson::padded_string_view(padded.data(), text.size(), padded.size());
}

bool JsonJoiner::Impl::append_document(std::string_view text) {
  const std::string_view document_text = trimmed(text);
  const bool array = document_text.starts_with('[');
  if (!array && !document_text.starts_with('{')) {
    if (find_json_fault(document_text, limits::kJsonDepthMax)) return false;
    out->append(document_text);
    return true;
  }
  ondemand::document document;
  if (parser.iterate(pad(document_text)).get(document)) return false;
  if (array) {
    ondemand::array elements;
    if (document.get_array().get(elements) || !append_array(elements, 1)) return false;
  } else {
    ondemand::object object;
    if (document.get_object().get(object) || !append_object(object, 1)) return false;
  }
  return at_end(document);
}

bool JsonJoiner::Impl::append_root_members(std::string_view text, OpenObject* object) {
  ondemand::document document;
  ondemand::object from;
  if (parser.iterate(pad(text)).get(document) || document.get_object().get(from)) return false;
  return append_members(from, 1, object) && at_end(document);
}

bool JsonJoiner::Impl::append_value(ondemand::value& value, size_t depth) {
  const std::string_view token = value.raw_json_token();
  switch (token.front()) {
    case '{': {
      ondemand::object object;
      return !value.get_object().get(object) && append_object(object, depth + 1);
    }
    case '[': {
      ondemand::array array;
      return !value.get_array().get(array) && append_array(array, depth + 1);
    }
    default:
      return append_scalar(token);
  }
}

bool JsonJoiner::Impl::append_scalar(std::string_view token) {
  // What follows a scalar in a container is looked at here, because simdjson skips a string and ':'
  // as if it were a key. The token reaches up to the next one, and the text is padded.
  const char next = token.data()[token.size()];
  if (next != ',' && next != ']' && next != '}') return false;
  size_t size = token.size();
  while (size > 1 && kWhiteSpace.find(token[size - 1]) != std::string_view::npos) --size;
  token = token.substr(0, size);
  if (!scalar_valid(token)) return false;
  out->append(token);
  return true;
}

bool JsonJoiner::Impl::append_array(ondemand::array& array, size_t depth) {
  if (depth > limits::kJsonDepthMax) return false;
  out->push_back('[');
  bool first = true;
  for (auto element : array) {
    ondemand::value value;
    if (element.get(value)) return false;
    if (!first) out->push_back(',');
    first = false;
    if (!append_value(value, depth)) return false;
  }
  out->push_back(']');
  return true;
}

bool JsonJoiner::Impl::append_object(ondemand::object& from, size_t depth) {
  if (depth > limits::kJsonDepthMax) return false;
  OpenObject object = open_object();
  if (!append_members(from, depth, &object)) return false;
  close_object(object);
  return true;
}

bool JsonJoiner::Impl::append_members(ondemand::object& from, size_t depth, OpenObject* object) {
  for (auto item : from) {
    ondemand::field field;
    if (std::move(item).get(field)) return false;
    start_member(*object);
    if (!append_key(field.key().raw(), object)) return false;
    if (!append_value(field.value(), depth)) return false;
    end_member();
  }
  return true;
}

// `raw`: the key in the text, after its first quote.
bool JsonJoiner::Impl::append_key(const char* raw, OpenObject* object) {
  const char* end = raw;
  bool escaped = false;
  for (; *end != '"'; ++end) {  // simdjson has seen the closing quote
    if (*end != '\\') continue;
    escaped = true;
    ++end;
  }
  const std::string_view key(raw, static_cast<size_t>(end - raw));
  Member& member = members.back();
  out->push_back('"');
  if (escaped) {
    if (!json_escapes_valid(key)) return false;
    member.key_decoded = true;
    member.key = static_cast<uint32_t>(decoded.size());
    append_json_unescaped(key, &decoded);
    member.key_length = static_cast<uint32_t>(decoded.size()) - member.key;
  } else {
    member.key = position();
    member.key_length = static_cast<uint32_t>(key.size());
  }
  out->append(key);
  out->append("\":");
  if (object->sorted && members.size() - object->first_member > 1) {
    object->sorted = key_of(members[members.size() - 2]) < key_of(member);
  }
  return true;
}

JsonJoiner::Impl::OpenObject JsonJoiner::Impl::open_object() {
  out->push_back('{');
  return {members.size(), decoded.size(), out->size(), true};
}

void JsonJoiner::Impl::start_member(const OpenObject& object) {
  if (members.size() > object.first_member) out->push_back(',');
  members.emplace_back().start = position();
}

void JsonJoiner::Impl::end_member() {
  members.back().end = position();
}

// The last of members with one key wins, as in Go's encoding/json and most others.
void JsonJoiner::Impl::close_object(const OpenObject& object) {
  const auto first = members.begin() + static_cast<std::ptrdiff_t>(object.first_member);
  if (!object.sorted) {
    std::sort(first, members.end(), [this](const Member& a, const Member& b) {
      const int order = key_of(a).compare(key_of(b));
      return order != 0 ? order < 0 : a.start < b.start;
    });
    sorted.clear();
    for (auto it = first; it != members.end(); ++it) {
      if (it + 1 != members.end() && key_of(*it) == key_of(*(it + 1))) continue;
      if (!sorted.empty()) sorted.push_back(',');
      sorted.append(*out, base + it->start, it->end - it->start);
    }
    out->replace(object.content_start, std::string::npos, sorted);
  }
  members.erase(first, members.end());
  decoded.resize(object.decoded_start);
  out->push_back('}');
}

void JsonJoiner::Impl::release_if_huge() {
  if (padded.capacity() <= kIdleBufferBytesMax &&
      members.capacity() * sizeof(Member) <= kIdleBufferBytesMax) {
    return;
  }
  parser = ondemand::parser();
  padded = {};
  members = {};
  decoded = {};
  sorted = {};
}

JsonJoiner::JsonJoiner() : impl_(std::make_unique<Impl>()) {}
JsonJoiner::~JsonJoiner() = default;

Status JsonJoiner::join(std::string_view record, std::string_view result, std::string* out) {
  impl_->out = out;
  impl_->base = out->size();
  auto status = impl_->join(record, result, kOutputKey);
  if (!status) out->resize(impl_->base);
  impl_->release_if_huge();
  return status;
}

Status JsonJoiner::add_attribute(std::string_view object, std::string_view name,
                                 std::string_view json, std::string* out) {
  if (!trimmed(object).starts_with('{')) {
    return fail(bad_input("the result is not a JSON object, so it cannot have the attribute '" +
                          std::string(name) + "'"));
  }
  std::string key;
  append_json_string(name, &key);
  impl_->out = out;
  impl_->base = out->size();
  auto status = impl_->join(object, json, key.c_str() + 1);
  if (!status) out->resize(impl_->base);
  impl_->release_if_huge();
  return status;
}

Status JsonJoiner::canonicalize(std::string_view document, std::string* out) {
  impl_->out = out;
  impl_->base = out->size();
  auto status = impl_->canonicalize(document);
  if (!status) out->resize(impl_->base);
  impl_->release_if_huge();
  return status;
}

}  // namespace millrace::record
