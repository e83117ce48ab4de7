// From a text, as its record gives it, to a row for the encoder: repair, clean, decide about empty
// ones, look at the language, tokenise; and count what was met on the way.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "handler/inference_handler.h"
#include "handler/native_context.h"
#include "handler/record_reader.h"
#include "handler/slice.h"
#include "handler/workspace.h"

namespace millrace::handler {

// What will stand in the reply for a row.
enum class RowKind : uint8_t {
  kEncoded,   // the model's answer
  kBlank,     // nothing: the text is empty
  kOtherwise  // the otherwise-label, without score: the text is empty
};

// Defaults differ: JSON says what it means, while an empty CSV field is a review without text.
enum class TextSource : uint8_t { kJson, kField };

// Appends one row to `block` and returns what it is. bad_input: the text is refused.
Result<RowKind> make_row(const NativeContext& context, const RowText& text, TextSource source,
                         uint32_t max_length, Workspace& workspace, RowBlock* block,
                         InvokeCounts* counts);

}  // namespace millrace::handler
