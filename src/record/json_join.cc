// What a join is: an object's members and the result under its key, or both under keys of ours.
// JsonWriter writes and checks; find_json_fault() finds the words for the user.
#include <algorithm>
#include <cstring>

#include "base/json_check.h"
#include "base/limits.h"
#include "record/join.h"
#include "record/json_writer.h"

namespace millrace::record {

namespace {

constexpr std::string_view kWhiteSpace = " \t\n\r";
constexpr std::string_view kInputKey = "SageMakerInput";
constexpr std::string_view kOutputKey = "SageMakerOutput";
// Offsets in the joined text are 32 bits wide.
constexpr size_t kJoinedBytesMax = size_t{1} << 31;

bool is_object(std::string_view text) {
  const size_t first = text.find_first_not_of(kWhiteSpace);
  return first != std::string_view::npos && text[first] == '{';
}

Error fault_of(std::string_view text) {
  const auto fault = find_json_fault(text, limits::kJsonDepthMax);
  return fault ? json_fault_error(*fault) : internal_error("the JSON writer refused valid JSON");
}

}  // namespace

struct JsonJoiner::Impl {
  Status write(std::string_view record, std::string_view result, std::string_view key);
  Status join(std::string_view record, std::string_view result, std::string_view key,
              std::string* out);

  JsonWriter writer;
};

Status JsonJoiner::Impl::write(std::string_view record, std::string_view result,
                               std::string_view key) {
  JsonWriter::Object object = writer.open_object();
  bool written = false;
  if (is_object(record)) {
    written = writer.members_of(record, &object);
  } else {
    writer.open_member(kInputKey, &object);
    written = writer.document(record);
    if (written) writer.close_member();
  }
  if (!written) return fail(fault_of(record).within("join the record"));
  writer.open_member(key, &object);
  if (!writer.document(result)) return fail(fault_of(result).within("join the model's reply"));
  writer.close_member();
  writer.close_object(object);
  return {};
}

Status JsonJoiner::Impl::join(std::string_view record, std::string_view result,
                              std::string_view key, std::string* out) {
  if (record.size() + result.size() + key.size() > kJoinedBytesMax) {
    return fail(bad_input("join: record and result are larger than 2 GiB together"));
  }
  writer.begin(out, record.size() + result.size() + key.size());
  Status status = write(record, result, key);
  status ? writer.end() : writer.drop();
  writer.release_if_huge();
  return status;
}

JsonJoiner::JsonJoiner() : impl_(std::make_unique<Impl>()) {}
JsonJoiner::~JsonJoiner() = default;

Status JsonJoiner::join(std::string_view record, std::string_view result, std::string* out) {
  return impl_->join(record, result, kOutputKey, out);
}

Status JsonJoiner::add_attribute(std::string_view object, std::string_view name,
                                 std::string_view json, std::string* out) {
  if (!is_object(object)) {
    return fail(bad_input("the result is not a JSON object, so it cannot have the attribute '" +
                          std::string(name) + "'"));
  }
  std::string key;
  append_json_string(name, &key);
  return impl_->join(object, json, std::string_view(key).substr(1, key.size() - 2), out);
}

Status JsonJoiner::canonicalize(std::string_view document, std::string* out) {
  if (document.size() > kJoinedBytesMax) return fail(bad_input("the JSON is larger than 2 GiB"));
  JsonWriter& writer = impl_->writer;
  writer.begin(out, document.size());
  const bool written = writer.document(document);
  written ? writer.end() : writer.drop();
  writer.release_if_huge();
  if (!written) return fail(fault_of(document));
  return {};
}

}  // namespace millrace::record
