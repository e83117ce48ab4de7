// For tests: S3 in memory behind an HttpImposter, with what matters to a client: objects, multipart
// uploads, conditions. Faults are asked for by call number: refused, cut off, or carried out
// without an answer. Signatures are not looked at; versitygw does that.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/http_imposter.h"
#include "base/uri.h"
#include "store/s3_store.h"

namespace millrace::store {

// Never waits.
class InstantClock final : public Clock {
 public:
  WallTime now() const override { return std::chrono::system_clock::now(); }
  bool sleep(std::chrono::milliseconds, const CancelToken& cancel) override {
    return !cancel.cancelled();
  }
};

// Content whose every byte tells where it stands, nearly.
inline std::string pattern(size_t size) {
  std::string text;
  for (size_t i = 0; i < size; ++i) text += static_cast<char>('a' + i * 7 % 26);
  return text;
}

class FakeS3 {
 public:
  using Request = HttpImposter::Request;
  using Reply = HttpImposter::Reply;

  enum class Fault {
    kNone,
    kRefused,       // 503 SlowDown, nothing done
    kReset,         // connection reset, nothing done
    kAnswerLost,    // done, then the connection is reset
    kErrorIn200,    // Complete only: 200 with <Error>, nothing done
    kDoneButError,  // done, yet 500 InternalError
    kDenied,        // 403, nothing done
  };

  FakeS3() : server([this](const Request& request) { return handle(request); }) {}

  S3StoreConfig config() {
    S3StoreConfig config;
    S3ClientOptions& client = config.client;
    client.address = {"bucket", "us-east-1", parse_endpoint_url(server.url()).value()};
    client.http = std::make_shared<HttpClient>();
    client.retrying.clock = &clock;
    client.retrying.jitter = [] { return 0.5; };
    const Credentials keys{"access", "secret", "", std::nullopt};
    client.credentials = std::make_shared<CredentialsCache>(
        [keys](const CancelToken&) -> Result<Credentials> { return keys; }, clock);
    config.part_bytes = 100;
    config.read_block_bytes = 100;
    return config;
  }
  std::unique_ptr<ObjectStore> store() { return make_s3_store(config()); }

  // Before a test looks at what follows, when the last answer was a broken connection: nothing else
  // orders the server's thread before the test's.
  void settle() const { (void)server.count(); }

  struct Upload {
    std::string key;
    std::map<int, std::string> parts;
  };

  std::map<std::string, std::string> objects;
  std::map<std::string, Upload> uploads;
  // Which fault the n-th call (from 1) meets.
  std::function<Fault(int, const Request&)> fault = [](int, const Request&) {
    return Fault::kNone;
  };
  std::atomic<int> calls = 0;
  bool knows_if_none_match = true;
  InstantClock clock;

 private:
  static Reply error(int status, const std::string& code) {
    Reply reply;
    reply.status = status;
    reply.headers = {{"x-amz-request-id", "REQ1"}};
    reply.body = "<Error><Code>" + code + "</Code><Message>about " + code + "</Message></Error>";
    return reply;
  }

  Reply handle(const Request& request) {
    const Fault what = fault(++calls, request);
    if (what == Fault::kRefused) return error(503, "SlowDown");
    if (what == Fault::kDenied) return error(403, "AccessDenied");
    Reply reply;
    if (what == Fault::kErrorIn200) {
      reply = error(200, "InternalError");
      return reply;
    }
    if (what != Fault::kReset) reply = carry_out(request);
    if (what == Fault::kDoneButError) return error(500, "InternalError");
    if (what == Fault::kReset || what == Fault::kAnswerLost) {
      reply.broken = Reply::Break::kBeforeReply;
    }
    return reply;
  }

  static std::map<std::string, std::string> query_of(const Request& request) {
    std::map<std::string, std::string> query;
    size_t at = request.target.find('?');
    while (at != std::string::npos) {
      const size_t end = request.target.find('&', at + 1);
      const std::string one =
          request.target.substr(at + 1, end == std::string::npos ? end : end - at - 1);
      const size_t equals = std::min(one.find('='), one.size());
      query[one.substr(0, equals)] =
          equals < one.size() ? percent_decode(one.substr(equals + 1)).value() : "";
      at = end;
    }
    return query;
  }

  Reply carry_out(const Request& request) {
    const std::string path = percent_decode(request.path()).value();
    const std::string key = path.substr(std::min(path.size(), std::string("/bucket/").size()));
    const auto query = query_of(request);
    if (query.count("uploadId") != 0) return upload_call(request, key, query);
    if (query.count("uploads") != 0) return uploads_call(request, key);
    if (request.method == "PUT") return put(request, key);
    if (request.method == "DELETE") return remove(key);
    if (query.count("list-type") != 0) return list(query);
    return get(request, key);
  }

  static std::string etag_of(const std::string& content) { return hex(md5(content)); }

  Reply put(const Request& request, const std::string& key) {
    if (taken(request, key)) return error(412, "PreconditionFailed");
    objects[key] = request.body;
    etags_[key] = etag_of(request.body);
    Reply reply;
    reply.headers = {{"ETag", "\"" + etags_[key] + "\""}};
    return reply;
  }

  bool taken(const Request& request, const std::string& key) const {
    return knows_if_none_match && request.header("if-none-match") == "*" && objects.count(key) != 0;
  }

  Reply remove(const std::string& key) {
    objects.erase(key);
    Reply reply;
    reply.status = 204;
    return reply;
  }

  Reply get(const Request& request, const std::string& key) {
    const auto found = objects.find(key);
    if (found == objects.end()) return error(404, "NoSuchKey");
    Reply reply;
    const std::string etag =
        "\"" + (etags_.count(key) != 0 ? etags_[key] : etag_of(found->second)) + "\"";
    if (!request.header("if-match").empty() && request.header("if-match") != etag) {
      return error(412, "PreconditionFailed");
    }
    reply.headers = {{"ETag", etag}};
    if (request.method == "HEAD") {
      reply.headers.emplace_back("Content-Length", std::to_string(found->second.size()));
      return reply;
    }
    const std::string range = request.header("range");  // bytes=a-b
    const size_t first = std::stoull(range.substr(6));
    const size_t last = std::stoull(range.substr(range.find('-') + 1));
    if (first >= found->second.size()) return error(416, "InvalidRange");
    reply.status = 206;
    reply.body = found->second.substr(first, last - first + 1);
    reply.headers.emplace_back("Content-Range", "bytes " + std::to_string(first) + "-" +
                                                    std::to_string(last) + "/" +
                                                    std::to_string(found->second.size()));
    return reply;
  }

  // Three to a page.
  Reply list(std::map<std::string, std::string> query) {
    std::string body = "<ListBucketResult><EncodingType>url</EncodingType>", last;
    int count = 0;
    bool more = false;
    for (const auto& [key, content] : objects) {
      if (key.substr(0, query["prefix"].size()) != query["prefix"]) continue;
      if (key <= query["continuation-token"]) continue;
      more = count == 3;
      if (more) break;
      ++count;
      last = key;
      body += "<Contents><Key>" + percent_encode(key) + "</Key><ETag>&quot;" + etag_of(content) +
              "&quot;</ETag><Size>" + std::to_string(content.size()) + "</Size></Contents>";
    }
    body += more ? "<IsTruncated>true</IsTruncated><NextContinuationToken>" + last +
                       "</NextContinuationToken>"
                 : "<IsTruncated>false</IsTruncated>";
    Reply reply;
    reply.body = body + "</ListBucketResult>";
    return reply;
  }

  Reply uploads_call(const Request& request, const std::string& key) {
    Reply reply;
    if (request.method == "POST") {
      const std::string id = "upload-" + std::to_string(++last_upload_);
      uploads[id] = {key, {}};
      reply.body = "<InitiateMultipartUploadResult><UploadId>" + id +
                   "</UploadId></InitiateMultipartUploadResult>";
      return reply;
    }
    reply.body = "<ListMultipartUploadsResult>";
    const std::string now = format_compact_utc(clock.now());  // 20150830T123600Z
    for (const auto& [id, upload] : uploads) {
      reply.body += "<Upload><Key>" + upload.key + "</Key><UploadId>" + id +
                    "</UploadId><Initiated>" + now.substr(0, 4) + "-" + now.substr(4, 2) + "-" +
                    now.substr(6, 2) + "T" + now.substr(9, 2) + ":" + now.substr(11, 2) + ":" +
                    now.substr(13, 2) + ".000Z</Initiated></Upload>";
    }
    reply.body += "</ListMultipartUploadsResult>";
    return reply;
  }

  Reply upload_call(const Request& request, const std::string& key,
                    std::map<std::string, std::string> query) {
    const auto found = uploads.find(query["uploadId"]);
    if (found == uploads.end() || found->second.key != key) return error(404, "NoSuchUpload");
    Reply reply;
    if (request.method == "PUT") {
      found->second.parts[std::stoi(query["partNumber"])] = request.body;
      reply.headers = {{"ETag", "\"" + etag_of(request.body) + "\""}};
    } else if (request.method == "DELETE") {
      uploads.erase(found);
      reply.status = 204;
    } else {
      return complete(request, key, found->first);
    }
    return reply;
  }

  Reply complete(const Request& request, const std::string& key, const std::string& id) {
    if (taken(request, key)) return error(412, "PreconditionFailed");
    std::string content, digests;
    for (const auto& [number, part] : uploads[id].parts) {
      content += part;
      digests += as_bytes(md5(part));
    }
    objects[key] = content;
    etags_[key] = hex(md5(digests)) + "-" + std::to_string(uploads[id].parts.size());
    uploads.erase(id);
    Reply reply;
    reply.body = "<CompleteMultipartUploadResult><ETag>&quot;" + etags_[key] +
                 "&quot;</ETag></CompleteMultipartUploadResult>";
    return reply;
  }

  std::map<std::string, std::string> etags_;
  int last_upload_ = 0;

 public:
  HttpImposter server;  // last: answers only while all else is there
};

}  // namespace millrace::store
