// Streams a byte range of an S3 object in blocks, the next of which is fetched while one is read.
#pragma once

#include <memory>

#include "store/object_store.h"
#include "store/s3_client.h"

namespace millrace::store {

// Makes no request. Each block is asked for with If-Match, so that a mix of two versions is never
// read, and a broken connection is taken up at the byte it broke at.
std::unique_ptr<ObjectReader> read_s3_object(std::shared_ptr<S3Client> client,
                                             const ObjectInfo& object, uint64_t offset,
                                             uint64_t length, uint64_t block_bytes);

}  // namespace millrace::store
