// Adding up what handlers count.
#include "handler/inference_handler.h"

namespace millrace::handler {

InvokeCounts& InvokeCounts::operator+=(const InvokeCounts& other) {
  rows += other.rows;
  truncated += other.truncated;
  duplicates += other.duplicates;
  cached += other.cached;
  empty += other.empty;
  invalid_utf8 += other.invalid_utf8;
  not_model_language += other.not_model_language;
  for (size_t i = 0; i < cleaned.size(); ++i) cleaned[i] += other.cleaned[i];
  return *this;
}

Status InferenceHandler::stream(const StreamRequest&) {
  return fail(internal_error("this model takes no streams"));
}

}  // namespace millrace::handler
