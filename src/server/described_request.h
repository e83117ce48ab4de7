// The part of DescribeTransformJob's reply that repeats the request: cut from its text, since
// Describe is what clients call all day, and a document would cost more than all else of a call.
#pragma once

#include <string>
#include <string_view>

namespace millrace::server {

// The members of `request`, a valid CreateTransformJob as the service keeps it (JSON without
// spaces), each with a comma behind it: all but TransformJobName and Tags, with what SageMaker
// shows for absent ones. MaxConcurrentTransforms, MaxPayloadInMB, BatchStrategy and
// ModelClientConfig stay absent there. Of what is no JSON object: the defaults alone.
std::string described_request(std::string_view request);

}  // namespace millrace::server
