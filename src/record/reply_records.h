// Cuts the reply to a mini-batch back into the replies to its records.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "record/format.h"
#include "record/record_span.h"

namespace millrace::record {

// The reply to k records holds k rows (text/csv, quoted line ends allowed) or k lines (JSON Lines
// and everything else); the last may lack its line end. The reply to one record in application/json
// is the whole body, which may be indented. Spans are without line ends, CSV's and JSON's also
// without
// '\r'. bad_input where the count is another one; the message gives both.
Result<std::vector<RecordSpan>> reply_records(std::string_view body, MediaType media,
                                              char csv_delimiter, size_t count);

// The reply to a JSON array of k elements is a JSON array of k.
Result<std::vector<RecordSpan>> reply_elements(std::string_view body, size_t count);

}  // namespace millrace::record
