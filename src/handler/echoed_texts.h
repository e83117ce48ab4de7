// The texts that MILLRACE_ECHO_INPUT puts before their results, as the reply will have them. They
// are written when a record is read, because its text is gone when its result comes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "handler/record_reader.h"

namespace millrace::handler {

// The column, and the member of a JSON result, that holds the text; of a pair the second is
// "text_pair".
inline constexpr std::string_view kEchoColumn = "text";

class EchoedTexts {
 public:
  // As the record gives it, before cleaning; bytes that are not UTF-8 become U+FFFD. In CSV a field
  // and a delimiter (of a pair the first text only, for rows have equally many columns); in JSON
  // members and a comma.
  void add(const RowText& text, bool csv, char csv_delimiter);
  // Drops the rows from `count` on.
  void shrink(size_t count);
  // What stands before the row's result.
  std::string_view of(size_t row) const;

 private:
  std::string bytes_;
  std::vector<size_t> ends_;
};

}  // namespace millrace::handler
