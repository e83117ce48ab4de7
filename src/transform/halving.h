// Halving: a model that answers a mini-batch as a whole refuses all of it for one bad record. The
// mini-batch is asked again in halves, and these in halves, until the bad records stand alone.
#pragma once

#include <functional>

#include "base/result.h"
#include "handler/inference_handler.h"
#include "record/format.h"
#include "transform/request_stream.h"

namespace millrace::transform {

// Asks for records [begin, end) of the request alone, and waits for the reply.
using AskPart = std::function<Result<handler::InvokeReply>(size_t begin, size_t end)>;

// The body that holds only records [begin, end) of the request: their bytes as they stand in it.
std::string body_of(const Request& request, size_t begin, size_t end);

// The reply to a request that was refused as a whole with `refusal` (bad_input): the results of the
// good records, and the others as its errors. Any error that is no refusal ends it.
Result<handler::InvokeReply> answer_by_halves(const Request& request, const Error& refusal,
                                              const record::DataFormat& format, const AskPart& ask);

}  // namespace millrace::transform
