// What S3 answers, parsed: listings, uploads, errors. Foreign bytes go in, values or an Error come
// out; the one file that knows pugixml is s3_reply.cc.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/object_store.h"

namespace millrace::store {

struct S3Listing {
  std::vector<ObjectInfo> objects;
  std::string continuation;  // "": this was the last page
};
Result<S3Listing> parse_listing(std::string_view xml);

struct S3UploadEntry {
  std::string key;
  std::string id;
  std::optional<WallTime> initiated;
};
struct S3UploadListing {
  std::vector<S3UploadEntry> uploads;
  bool truncated = false;
  std::string next_key;
  std::string next_id;
};
Result<S3UploadListing> parse_upload_listing(std::string_view xml);

// The reply to CreateMultipartUpload.
Result<std::string> parse_upload_id(std::string_view xml);

// The reply to CompleteMultipartUpload: its ETag.
Result<std::string> parse_completed(std::string_view xml);

struct S3ErrorBody {
  std::string code;
  std::string message;
  std::string region;
  std::string request_id;
};
// Nothing where the text is no <Error>. Also reads STS's <ErrorResponse>.
std::optional<S3ErrorBody> parse_error_body(std::string_view xml);

// What STS's AssumeRole and AssumeRoleWithWebIdentity answer.
struct StsReply {
  std::string access_key;
  std::string secret_key;
  std::string session_token;
  std::string expiration;
};
Result<StsReply> parse_sts_reply(std::string_view xml);

}  // namespace millrace::store
