// The requests we make of S3, as plain values: built here, signed and sent by S3Client. Nothing in
// this file touches a network.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/sigv4.h"
#include "store/object_store.h"

namespace millrace::store {

struct S3Request {
  std::string action;  // for messages: "get", "upload part 7 of"
  std::string method;
  std::string key;  // "": the bucket
  std::vector<std::pair<std::string, std::string>> query;
  std::vector<HeaderField> headers;
  std::string_view body;  // outlives the request

  // How it is to be sent.
  bool error_in_200 = false;      // S3 may begin a 200 and end it with <Error>
  bool fresh_connection = false;  // see HttpRequest
  std::chrono::milliseconds timeout{0};
  std::function<Status(std::string_view)> sink;
};

struct S3Part {
  uint32_t number = 0;  // from 1
  std::string etag;
};

S3Request list_request(std::string_view prefix, std::string_view continuation);
S3Request head_request(std::string_view key);
// Bytes [offset, offset + length), length > 0, of the version that `etag` names ("": any).
S3Request get_request(std::string_view key, uint64_t offset, uint64_t length,
                      std::string_view etag);
S3Request put_request(std::string_view key, const WriteOptions& options, std::string_view body);
S3Request create_upload_request(std::string_view key, const WriteOptions& options);
S3Request upload_part_request(std::string_view key, std::string_view upload_id, uint32_t number,
                              std::string_view body);
S3Request complete_request(std::string_view key, std::string_view upload_id,
                           const WriteOptions& options, std::string_view body);
std::string complete_body(const std::vector<S3Part>& parts);
S3Request abort_request(std::string_view key, std::string_view upload_id);
S3Request list_uploads_request(std::string_view prefix, std::string_view key_marker,
                               std::string_view id_marker);
S3Request delete_request(std::string_view key);

// "a=1&b=%20", in the order given.
std::string query_text(const std::vector<std::pair<std::string, std::string>>& query);

// The size of upload part `number` (from 1), so that 10,000 of them hold the object.
uint64_t upload_part_bytes(uint32_t number, uint64_t expected_size);

}  // namespace millrace::store
