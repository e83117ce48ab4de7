// What clients of AWS's XML protocols get: STS and IAM, as far as the SageMaker SDK asks them who
// it is, and an S3 client that was sent to the wrong server.
#pragma once

#include <string>
#include <string_view>

#include "server/api_error.h"
#include "server/http_message.h"

namespace millrace::server {

// "Action" of a form body; "" where there is none.
std::string form_value(std::string_view body, std::string_view name);

// The query protocol: GetCallerIdentity of STS, GetRole of IAM (403, upon which the SDK derives the
// role from the identity); any other action is refused.
ServerReply query_reply(std::string_view action, std::string_view account,
                        const std::string& access_key, const std::string& request_id);
// `error` with the query protocol's names for errors of authentication.
ServerReply query_error(const ApiError& error, const std::string& request_id);

// Is this a request for S3? By its signature, its headers or its query.
bool is_s3_request(const ServerRequest& request);
// S3's form of an error that says whom it reached.
ServerReply s3_reply(const ServerRequest& request, const std::string& request_id);

}  // namespace millrace::server
