// The S3 store from parts that tests can replace; make_s3_store() of object_store.h finds them in
// the environment.
#pragma once

#include <memory>

#include "base/env.h"
#include "base/limits.h"
#include "store/object_store.h"
#include "store/s3_client.h"

namespace millrace::store {

struct S3StoreConfig {
  S3ClientOptions client;
  uint64_t part_bytes = 0;  // of uploads; 0: upload_part_bytes()
  uint64_t read_block_bytes = limits::kS3ReadBlockBytes;
};
std::unique_ptr<ObjectStore> make_s3_store(S3StoreConfig config);

// Region, endpoint and credentials as options, environment and profile files say. Fetches
// credentials once, so that there are some.
Result<S3StoreConfig> find_s3_config(const std::string& bucket, const S3Options& options,
                                     const Env& env);

}  // namespace millrace::store
