// How parts and their records are spoken of.
#include "transform/part.h"

namespace millrace::transform {

std::string record_name(const record::DataFormat& format, uint64_t record, uint64_t offset) {
  std::string name = "record " + std::to_string(record + 1);
  if (is_parquet(format)) return name;  // a row stands in many places
  name += " (";
  const bool is_line = format.split_type == record::SplitType::kLine && !format.csv.rfc4180;
  if (is_line && has_csv_header(format)) name += "line " + std::to_string(record + 2) + ", ";
  return name + "byte " + std::to_string(offset) + ")";
}

bool is_parquet(const record::DataFormat& format) {
  return format.split_type == record::SplitType::kParquet;
}

bool has_csv_header(const record::DataFormat& format) {
  return format.csv.header && record::media_type(format.content_type) == record::MediaType::kCsv;
}

RefusedRecords& RefusedRecords::operator+=(const RefusedRecords& other) {
  count += other.count;
  if (other.first_record < first_record) {
    first_record = other.first_record;
    first_cause = other.first_cause;
  }
  return *this;
}

PartResult& PartResult::operator+=(const PartResult& other) {
  records += other.records;
  refused += other.refused;
  bytes += other.bytes;
  error_bytes += other.error_bytes;
  counts += other.counts;
  return *this;
}

}  // namespace millrace::transform
