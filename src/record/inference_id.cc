#include "record/inference_id.h"

#include <array>
#include <utility>

#include "base/xxh3.h"
#include "record/json_walk.h"

namespace millrace::record {
namespace {

// Members being written in the order of their keys: those of a document, which are sorted, and
// ours.
class Merge {
 public:
  Merge(std::array<std::pair<std::string_view, std::string>, 2> ours, std::string* out)
      : ours_(std::move(ours)), out_(out) {}

  void add(std::string_view key, std::string_view value) {
    std::string decoded;
    append_json_unescaped(key, &decoded);
    while (next_ < ours_.size() && ours_[next_].first < decoded) add_ours();
    const bool replaced = decoded == ours_[0].first || decoded == ours_[1].first;
    if (!replaced) write(key, value);
  }

  void finish() {
    while (next_ < ours_.size()) add_ours();
  }

 private:
  void add_ours() {
    write(ours_[next_].first, ours_[next_].second);
    ++next_;
  }

  void write(std::string_view key, std::string_view value) {
    out_->append(first_ ? "{\"" : ",\"").append(key).append("\":").append(value);
    first_ = false;
  }

  const std::array<std::pair<std::string_view, std::string>, 2> ours_;
  std::string* const out_;
  size_t next_ = 0;
  bool first_ = true;
};

}  // namespace

std::string inference_id(std::string_view job, std::string_view time, std::string_view object,
                         uint64_t record) {
  std::string hex = Xxh3().field(job).field(time).field(object).field(std::to_string(record)).hex();
  hex[12] = '8';                  // the version
  hex[16] = "89ab"[hex[16] % 4];  // the variant
  for (const size_t at : {8U, 13U, 18U, 23U}) hex.insert(at, 1, '-');
  return hex;
}

InferenceTagger::InferenceTagger(std::string job, std::string time, std::string object,
                                 MediaType media, char csv_delimiter)
    : job_(std::move(job)),
      time_(std::move(time)),
      object_(std::move(object)),
      media_(media),
      csv_delimiter_(csv_delimiter) {}

Status InferenceTagger::append(uint64_t record, std::string_view result, std::string* out) {
  const std::string id = inference_id(job_, time_, object_, record);
  if (media_ == MediaType::kCsv) {
    out->append(result).push_back(csv_delimiter_);
    out->append(id).push_back(csv_delimiter_);
    out->append(time_);
    return {};
  }
  document_.clear();
  if (Status json = joiner_.canonicalize(result, &document_); !json) {
    return fail(std::move(json).error().within("the model's reply"));
  }
  append_members(id, document_, out);
  return {};
}

void InferenceTagger::append_members(const std::string& id, std::string_view document,
                                     std::string* out) {
  Merge merge({{{kInferenceIdName, '"' + id + '"'}, {kInferenceTimeName, '"' + time_ + '"'}}}, out);
  if (document.starts_with('{')) {
    for_each_json_member(document, [&](std::string_view key, std::string_view value) {
      merge.add(key, value);
      return true;
    });
  } else {
    merge.add("SageMakerOutput", document);
  }
  merge.finish();
  out->push_back('}');
}

}  // namespace millrace::record
