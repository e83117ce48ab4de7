// curl's easy interface. Handles are kept, because each holds its open connections; a request takes
// one and gives it back.
#include "base/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <cstdio>
#include <mutex>

#include "base/check.h"

namespace millrace {
namespace {

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

struct FreeHandle {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using Handle = std::unique_ptr<CURL, FreeHandle>;

// One request on its way: what curl's callbacks fill.
struct Transfer {
  CURL* handle = nullptr;
  const HttpRequest* request = nullptr;
  const CancelToken* cancel = nullptr;
  HttpReply reply;
  uint64_t body_bytes = 0;
  size_t sent_bytes = 0;  // of a chunked body
  bool head_ended = false;
  Status stopped;  // why a callback ended the request
};

long status_of(CURL* handle) {
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

Error too_large(const HttpRequest& request) {
  return internal_error("the reply is larger than " + std::to_string(request.reply_bytes_max) +
                        " bytes");
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (static_cast<unsigned char>(text.back()) <= ' ')) text.remove_suffix(1);
  return text;
}

size_t take_header(char* data, size_t, size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view line(data, size);
  // A status line begins a reply: what an earlier "100 Continue" brought is dropped. What comes
  // behind the empty line are trailers.
  if (line.substr(0, 5) == "HTTP/") {
    transfer.reply.headers.clear();
    transfer.head_ended = false;
  }
  if (trimmed(line).empty()) transfer.head_ended = true;
  const size_t colon = line.find(':');
  if (colon == line.npos || colon == 0) return size;
  if (transfer.reply.headers.size() >= limits::kHttpHeadersMax) return size;
  std::string name(trimmed(line.substr(0, colon)));
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  transfer.reply.headers.emplace_back(std::move(name), trimmed(line.substr(colon + 1)));
  return size;
}

size_t take_body(char* data, size_t, size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view bytes(data, size);
  transfer.body_bytes += size;
  const long status = status_of(transfer.handle);
  if (transfer.request->sink && status >= 200 && status < 300) {
    transfer.stopped = transfer.request->sink(bytes);
  } else if (transfer.reply.body.size() + size > transfer.request->reply_bytes_max) {
    transfer.stopped = fail(too_large(*transfer.request));
  } else {
    transfer.reply.body += bytes;
  }
  return transfer.stopped ? size : CURL_WRITEFUNC_ERROR;
}

size_t give_body(char* data, size_t, size_t room, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (transfer.request->source) {
    const Result<size_t> given = transfer.request->source({data, room});
    if (given) transfer.sent_bytes += *given;
    if (given) return *given;
    transfer.stopped = fail(given.error());
    return CURL_READFUNC_ABORT;
  }
  const std::string_view rest = transfer.request->body.substr(transfer.sent_bytes);
  const size_t size = std::min(room, rest.size());
  std::copy_n(rest.data(), size, data);
  transfer.sent_bytes += size;
  return size;
}

// curl sends a body again where a kept connection turned out to be closed.
int seek_body(void* user, curl_off_t offset, int origin) {
  auto& transfer = *static_cast<Transfer*>(user);
  const bool is_there = transfer.request->source && offset == 0 && transfer.sent_bytes == 0;
  if (is_there) return CURL_SEEKFUNC_OK;
  if (transfer.request->source || origin != SEEK_SET || offset < 0) return CURL_SEEKFUNC_CANTSEEK;
  transfer.sent_bytes = static_cast<size_t>(offset);
  return CURL_SEEKFUNC_OK;
}

int watch_cancel(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Transfer*>(user)->cancel->cancelled() ? 1 : 0;
}

Status add_header(HeaderList* list, const std::string& line) {
  if (line.find_first_of(std::string_view("\r\n\0", 3)) != line.npos) {
    return fail(invalid_argument("a header with a line break: " + line.substr(0, line.find(':'))));
  }
  curl_slist* const grown = curl_slist_append(list->get(), line.c_str());
  MR_CHECK(grown != nullptr);
  (void)list->release();
  list->reset(grown);
  return {};
}

Result<HeaderList> header_list(const HttpRequest& request) {
  HeaderList list;
  // curl adds these by itself. "Expect" makes a server answer twice and costs a round trip.
  MR_TRY(add_header(&list, "Expect:"));
  MR_TRY(add_header(&list, "Accept:"));
  bool has_type = false;
  for (const auto& [name, value] : request.headers) {
    has_type = has_type || name == "Content-Type" || name == "content-type";
    // "Name;" is how curl is told to send a header without a value.
    MR_TRY(add_header(&list, value.empty() ? name + ";" : name + ": " + value));
  }
  if (!has_type) MR_TRY(add_header(&list, "Content-Type:"));
  if (request.chunked) MR_TRY(add_header(&list, "Transfer-Encoding: chunked"));
  return list;
}

void set_method(CURL* handle, const HttpRequest& request) {
  if (request.method == "HEAD") {
    curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
  } else if (request.chunked) {
    curl_easy_setopt(handle, CURLOPT_POST, 1L);
    curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  } else if (!request.body.empty() || request.method == "PUT" || request.method == "POST") {
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  } else {
    curl_easy_setopt(handle, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

void set_connection(CURL* handle, const HttpRequest& request, const HttpOptions& options) {
  curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "millrace");
  // The largest curl takes; its default of 16 KiB halves the speed on loopback.
  curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, 512L * 1024);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(request.connect_timeout.count()));
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
  const auto idle = std::chrono::ceil<std::chrono::seconds>(request.idle_timeout).count();
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, static_cast<long>(idle));
  if (!request.sink && request.method != "HEAD") {  // one that says so is not waited for
    curl_easy_setopt(handle, CURLOPT_MAXFILESIZE_LARGE,
                     static_cast<curl_off_t>(request.reply_bytes_max));
  }
  if (request.fresh_connection) curl_easy_setopt(handle, CURLOPT_FRESH_CONNECT, 1L);
  if (request.accept_gzip) curl_easy_setopt(handle, CURLOPT_ACCEPT_ENCODING, "gzip");
  if (request.direct) curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
  if (!options.ca_bundle.empty()) {
    curl_easy_setopt(handle, CURLOPT_CAINFO, options.ca_bundle.c_str());
  }
}

void set_callbacks(CURL* handle, Transfer* transfer) {
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, transfer);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, transfer);
  curl_easy_setopt(handle, CURLOPT_READFUNCTION, give_body);
  curl_easy_setopt(handle, CURLOPT_READDATA, transfer);
  curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, seek_body);
  curl_easy_setopt(handle, CURLOPT_SEEKDATA, transfer);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, watch_cancel);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, transfer);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
}

// The one place where curl's errors become ours.
Error error_of(CURLcode code, const char* detail, const Transfer& transfer) {
  const std::string& url = transfer.request->url;
  const std::string what = transfer.request->method + " " + url.substr(0, url.find('?')) + ": ";
  const std::string why = *detail != '\0' ? detail : curl_easy_strerror(code);
  switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
      return cancelled(what + "cancelled");
    case CURLE_UNSUPPORTED_PROTOCOL:
      // Also curl's word for an answer that is not HTTP.
      if (std::string_view(detail).find("HTTP/0.9") != std::string_view::npos) {
        return unavailable(what + "the answer is not HTTP");
      }
      [[fallthrough]];
    case CURLE_URL_MALFORMAT:
      return invalid_argument(what + why);
    case CURLE_PEER_FAILED_VERIFICATION:
      return invalid_argument(what + "the server's certificate is not trusted: " + why +
                              " (AWS_CA_BUNDLE names a file with further authorities)");
    case CURLE_SSL_CACERT_BADFILE:
      return invalid_argument(what + "the file of certificate authorities cannot be read: " + why);
    case CURLE_FILESIZE_EXCEEDED:
      return too_large(*transfer.request);
    case CURLE_PARTIAL_FILE:
      return unavailable(what + "the connection was lost after " +
                         std::to_string(transfer.body_bytes) + " bytes of the reply");
    case CURLE_OPERATION_TIMEDOUT:
      return unavailable(what + "timed out: " + why);
    default:
      return unavailable(what + why);
  }
}

}  // namespace

class HttpClient::Pool {
 public:
  Handle take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return Handle(curl_easy_init());
    Handle handle = std::move(idle_.back());
    idle_.pop_back();
    return handle;
  }
  void give_back(Handle handle) {
    curl_easy_reset(handle.get());  // options go, connections stay
    const std::lock_guard lock(mutex_);
    if (idle_.size() < limits::kHttpIdleHandlesMax) idle_.push_back(std::move(handle));
  }

 private:
  std::mutex mutex_;
  std::vector<Handle> idle_;
};

std::string HttpReply::header(std::string_view lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return value;
  }
  return "";
}

HttpClient::HttpClient(HttpOptions options)
    : options_(std::move(options)), pool_(std::make_unique<Pool>()) {
  static const CURLcode initialized = curl_global_init(CURL_GLOBAL_DEFAULT);
  MR_CHECK(initialized == CURLE_OK);
}
HttpClient::~HttpClient() = default;

Result<HttpReply> HttpClient::send(const HttpRequest& request, const CancelToken& cancel) {
  MR_ASSIGN(const HeaderList headers, header_list(request));
  Handle handle = pool_->take();
  MR_CHECK(handle != nullptr);
  Transfer transfer;
  transfer.handle = handle.get();
  transfer.request = &request;
  transfer.cancel = &cancel;
  char detail[CURL_ERROR_SIZE] = "";
  set_connection(handle.get(), request, options_);
  set_method(handle.get(), request);
  set_callbacks(handle.get(), &transfer);
  curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(handle.get(), CURLOPT_ERRORBUFFER, detail);
  const CURLcode code = curl_easy_perform(handle.get());
  transfer.reply.status = static_cast<int>(status_of(handle.get()));
  pool_->give_back(std::move(handle));
  if (!transfer.stopped) return fail(std::move(transfer.stopped).error());
  if (code != CURLE_OK) return fail(error_of(code, detail, transfer));
  // curl takes a connection that ends among the headers for the end of a reply without a body.
  if (!transfer.head_ended) {
    const char* const lost = "the connection was lost in the head of the reply";
    return fail(error_of(CURLE_GOT_NOTHING, lost, transfer));
  }
  return std::move(transfer.reply);
}

}  // namespace millrace
