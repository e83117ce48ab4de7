// Cuts a body, or a record that is a whole object (SplitType None), into what its content type
// calls a record: a JSON document, a line, a CSV row.
#pragma once

#include <string_view>
#include <vector>

#include "record/format.h"
#include "record/record_span.h"

namespace millrace::handler {

// Replaces *out by spans in `text`, without line ends. Text without a line end is one record, even
// an empty one. Blank lines between CSV rows and JSON documents are none. What is no record of its
// type at all is still a span: who reads it says what is wrong.
void cut_records(record::MediaType media, char csv_delimiter, std::string_view text,
                 std::vector<record::RecordSpan>* out);

}  // namespace millrace::handler
