#include "record/record_filter.h"

#include <utility>

namespace millrace::record {

RecordFilter::RecordFilter(std::string_view member, JsonPath path, MediaType media,
                           char csv_delimiter)
    : name_(std::string(member) + " " + path.text), path_(std::move(path)), json_(path_) {
  if (media == MediaType::kCsv) csv_.emplace(path_, csv_delimiter);
}

Status RecordFilter::select(std::string_view record, std::string* out) {
  if (csv_) return select_joined(record, out);
  document_.clear();
  if (Status json = joiner_.canonicalize(record, &document_); !json) {
    return named(std::move(json), out->size(), out);
  }
  return select_joined(document_, out);
}

Status RecordFilter::select_joined(std::string_view joined, std::string* out) {
  const size_t start = out->size();
  return named(csv_ ? csv_->select(joined, out) : json_.select(joined, out), start, out);
}

Status RecordFilter::named(Status status, size_t start, std::string* out) const {
  if (status) return status;
  out->resize(start);
  return fail(std::move(status).error().within(name_));
}

}  // namespace millrace::record
