// Each builder opens with the request it makes. Host, date, credentials and payload hash are added
// when it is signed.
#include "store/s3_request.h"

#include <algorithm>

#include "base/limits.h"
#include "base/uri.h"

namespace millrace::store {
namespace {

S3Request make(std::string action, std::string method, std::string_view key) {
  S3Request request;
  request.action = std::move(action);
  request.method = std::move(method);
  request.key = std::string(key);
  return request;
}

void add_object_headers(const WriteOptions& options, S3Request* request) {
  if (!options.content_type.empty()) {
    request->headers.emplace_back("Content-Type", options.content_type);
  }
  for (const auto& [name, value] : options.metadata) {
    request->headers.emplace_back("x-amz-meta-" + name, value);
  }
  if (!options.kms_key_id.empty()) {
    request->headers.emplace_back("x-amz-server-side-encryption", "aws:kms");
    request->headers.emplace_back("x-amz-server-side-encryption-aws-kms-key-id",
                                  options.kms_key_id);
  }
}

std::string xml_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

S3Request list_request(std::string_view prefix, std::string_view continuation) {
  // GET /?continuation-token=TOKEN&encoding-type=url&list-type=2&prefix=in%2F HTTP/1.1
  S3Request request = make("list", "GET", "");
  if (!continuation.empty()) request.query.emplace_back("continuation-token", continuation);
  request.query.emplace_back("encoding-type", "url");  // XML cannot hold every byte of a key
  request.query.emplace_back("list-type", "2");
  if (!prefix.empty()) request.query.emplace_back("prefix", prefix);
  return request;
}

S3Request head_request(std::string_view key) {
  // HEAD /in/reviews.csv HTTP/1.1
  return make("look at", "HEAD", key);
}

S3Request get_request(std::string_view key, uint64_t offset, uint64_t length,
                      std::string_view etag) {
  // GET /in/reviews.csv HTTP/1.1
  // Range: bytes=0-4194303
  // If-Match: "9b2cf535f27731c974343645a3985328"
  S3Request request = make("get", "GET", key);
  request.headers.emplace_back(
      "Range", "bytes=" + std::to_string(offset) + "-" + std::to_string(offset + length - 1));
  if (!etag.empty()) request.headers.emplace_back("If-Match", etag);
  return request;
}

S3Request put_request(std::string_view key, const WriteOptions& options, std::string_view body) {
  // PUT /out/reviews.csv.out HTTP/1.1
  // Content-Type: text/csv
  // If-None-Match: *
  // x-amz-meta-job: reviews
  S3Request request = make("put", "PUT", key);
  add_object_headers(options, &request);
  if (!options.overwrite) request.headers.emplace_back("If-None-Match", "*");
  request.body = body;
  return request;
}

S3Request create_upload_request(std::string_view key, const WriteOptions& options) {
  // POST /out/reviews.csv.out?uploads= HTTP/1.1
  // Content-Type: text/csv
  S3Request request = make("create an upload of", "POST", key);
  request.query.emplace_back("uploads", "");
  add_object_headers(options, &request);
  request.fresh_connection = true;  // made twice, one would be left behind
  return request;
}

S3Request upload_part_request(std::string_view key, std::string_view upload_id, uint32_t number,
                              std::string_view body) {
  // PUT /out/reviews.csv.out?partNumber=7&uploadId=VXBsb2FkIElE HTTP/1.1
  S3Request request = make("upload part " + std::to_string(number) + " of", "PUT", key);
  request.query.emplace_back("partNumber", std::to_string(number));
  request.query.emplace_back("uploadId", upload_id);
  request.body = body;
  return request;
}

S3Request complete_request(std::string_view key, std::string_view upload_id,
                           const WriteOptions& options, std::string_view body) {
  // POST /out/reviews.csv.out?uploadId=VXBsb2FkIElE HTTP/1.1
  // If-None-Match: *
  //
  // <CompleteMultipartUpload>...
  S3Request request = make("complete the upload of", "POST", key);
  request.query.emplace_back("uploadId", upload_id);
  request.headers.emplace_back("Content-Type", "application/xml");
  if (!options.overwrite) request.headers.emplace_back("If-None-Match", "*");
  request.body = body;
  request.error_in_200 = true;
  return request;
}

std::string complete_body(const std::vector<S3Part>& parts) {
  std::string body = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  for (const S3Part& part : parts) {
    body += "<Part><PartNumber>" + std::to_string(part.number) + "</PartNumber><ETag>" +
            xml_escaped(part.etag) + "</ETag></Part>";
  }
  return body + "</CompleteMultipartUpload>";
}

S3Request abort_request(std::string_view key, std::string_view upload_id) {
  // DELETE /out/reviews.csv.out?uploadId=VXBsb2FkIElE HTTP/1.1
  S3Request request = make("abort the upload of", "DELETE", key);
  request.query.emplace_back("uploadId", upload_id);
  return request;
}

S3Request list_uploads_request(std::string_view prefix, std::string_view key_marker,
                               std::string_view id_marker) {
  // GET /?encoding-type=url&prefix=out%2Freviews.csv.out&uploads= HTTP/1.1
  S3Request request = make("list the uploads in", "GET", "");
  request.query.emplace_back("encoding-type", "url");
  if (!key_marker.empty()) request.query.emplace_back("key-marker", key_marker);
  request.query.emplace_back("prefix", prefix);
  if (!id_marker.empty()) request.query.emplace_back("upload-id-marker", id_marker);
  request.query.emplace_back("uploads", "");
  return request;
}

S3Request delete_request(std::string_view key) {
  // DELETE /out/reviews.csv.out HTTP/1.1
  return make("remove", "DELETE", key);
}

std::string query_text(const std::vector<std::pair<std::string, std::string>>& query) {
  std::string text;
  for (const auto& [name, value] : query) {
    if (!text.empty()) text += '&';
    text += percent_encode(name) + '=' + percent_encode(value);
  }
  return text;
}

uint64_t upload_part_bytes(uint32_t number, uint64_t expected_size) {
  // An object of known size in at most 9,000 equal parts (some servers want them equal), which
  // leaves room for one that turns out larger.
  const uint64_t even = expected_size / 9000 + 1;
  // Of unknown size: twice as much after every thousand, 8 TiB in all.
  const uint64_t grown = limits::kUploadPartBytes << std::min((number - 1) / 1000, 9u);
  return std::max({even, grown, limits::kUploadPartBytesMin});
}

}  // namespace millrace::store
