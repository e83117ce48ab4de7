// What S3, STS and credential services answer: no bytes may crash the parsers, and what they accept
// must make sense.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "store/credential_json.h"
#include "store/s3_reply.h"

namespace store = millrace::store;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto listing = store::parse_listing(text)) {
    for (const store::ObjectInfo& object : listing->objects) MR_CHECK(!object.key.empty());
  }
  if (const auto uploads = store::parse_upload_listing(text)) {
    for (const store::S3UploadEntry& upload : uploads->uploads) MR_CHECK(!upload.id.empty());
  }
  if (const auto id = store::parse_upload_id(text)) MR_CHECK(!id->empty());
  (void)store::parse_completed(text);
  (void)store::parse_error_body(text);
  (void)store::parse_sts_reply(text);
  if (const auto keys = store::parse_credentials_json(text)) MR_CHECK(!keys->secret_key.empty());
  (void)store::parse_sso_credentials_json(text);
  (void)store::parse_sso_token_json(text);
  return 0;
}
