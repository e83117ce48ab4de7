// Writes one S3 object, whole or not at all: a single PUT where the content fits into one upload
// part, else a multipart upload, which is aborted unless it was completed. While one part is sent
// the next is filled.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "store/object_store.h"
#include "store/s3_client.h"

namespace millrace::store {

// `part_bytes` 0: limits::kUploadPartBytes and growing (upload_part_bytes()).
std::unique_ptr<ObjectWriter> write_s3_object(std::shared_ptr<S3Client> client,
                                              std::string_view key, const WriteOptions& options,
                                              uint64_t part_bytes = 0);

// Aborts one upload; that it is gone already is success. Goes through even when cancelled.
Status abort_s3_upload(S3Client& client, std::string_view key, std::string_view upload_id);

// Which uploads of `key` abort_s3_uploads() aborts: those begun by the server's clock within `age`
// of now (zero: all), but `keep`.
struct UploadFilter {
  std::chrono::seconds age{0};
  std::string_view keep;
};
Status abort_s3_uploads(S3Client& client, std::string_view key, const UploadFilter& filter);

}  // namespace millrace::store
