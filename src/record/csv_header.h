// The header of a CSV object: the first record, which names the columns and is no record itself.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "record/format.h"

namespace millrace::record {

struct CsvHeader {
  std::string line;  // its bytes, without byte order mark and line end
  std::vector<std::string> names;
  uint64_t end = 0;  // where in the object the records begin
};

// Up to buffer.size() bytes of the object from its start on, 0 at its end.
using ReadBytes = std::function<Result<size_t>(std::span<char> buffer)>;

// Reads no further than it must. bad_input where there is no first record, or it is not CSV.
Result<CsvHeader> read_csv_header(const ReadBytes& read, const DataFormat& format);

// The column of that name or, where none has it and it is a number, of that 0-based index.
// bad_input where there is none or more than one; the message lists the columns.
Result<uint32_t> find_csv_column(const CsvHeader& header, std::string_view name_or_index);

// The header of the joined output: input columns, then `added`. bad_input where a name of `added`
// is taken, which names `prefix_setting` as the cure.
Result<std::string> join_csv_header(const CsvHeader& header, const std::vector<std::string>& added,
                                    const CsvOptions& csv, std::string_view prefix_setting);

}  // namespace millrace::record
