#include "jobs/hub_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>
#include <utility>

#include "base/digest.h"
#include "base/limits.h"
#include "base/uri.h"

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;

constexpr int kRedirectsMax = 5;
constexpr size_t kSha256Letters = 64;
constexpr size_t kSha1Letters = 40;

// What the hub says of a file before it is fetched.
struct FileInfo {
  std::string checksum;  // SHA-256 of the content, or Git's SHA-1 of it
  uint64_t size = 0;
};

// Without quotes and without the mark of a weak one.
std::string plain_etag(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  while (etag.starts_with('"')) etag.remove_prefix(1);
  while (etag.ends_with('"')) etag.remove_suffix(1);
  return std::string(etag);
}

bool is_checksum(std::string_view text) {
  return (text.size() == kSha256Letters || text.size() == kSha1Letters) &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isdigit(c) != 0 || (c >= 'a' && c <= 'f');
         });
}

std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "https://host:port" of a URL.
std::string_view origin_of(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return "";
  return url.substr(0, url.find('/', scheme + 3));
}

// A Location may be a path on the same server.
std::string resolved(const std::string& base, const std::string& location) {
  return location.starts_with('/') ? std::string(origin_of(base)) + location : location;
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool is_temporary(int status) {
  return status == 429 || status >= 500;
}

Error bad_status(int status) {
  const std::string text = "answered " + std::to_string(status);
  if (is_temporary(status)) return unavailable(text);
  return status == 404 ? not_found(text) : invalid_argument(text);
}

// `ask(url)` -> Result<HttpReply>, asked at each place that a reply redirects to; the first reply
// that does not.
template <class Ask>
Result<HttpReply> follow(std::string url, Ask ask) {
  for (int hops = 0; hops <= kRedirectsMax; ++hops) {
    MR_ASSIGN(HttpReply reply, ask(url));
    if (!is_redirect(reply.status)) return reply;
    url = resolved(url, reply.header("location"));
  }
  return fail(corruption("redirected too often"));
}

// Headers are the hub's own: on the way to where a large file lies, only the first answer has them.
Result<FileInfo> ask_about(HubConnection* hub, const std::string& url) {
  return retry(hub->retrying(), hub->options().cancel, [&]() -> Result<FileInfo> {
    std::string at = url;
    for (int hops = 0; hops <= kRedirectsMax; ++hops) {
      HttpRequest request;
      request.method = "HEAD";
      request.url = at;
      request.headers.emplace_back("Accept-Encoding", "identity");
      MR_ASSIGN(const HttpReply reply, hub->send(std::move(request)));
      FileInfo info;
      info.checksum = plain_etag(reply.header("x-linked-etag"));
      std::string size = reply.header("x-linked-size");
      const bool redirect = is_redirect(reply.status);
      if (!redirect && reply.status != 200) return fail(bad_status(reply.status));
      if (info.checksum.empty() && !redirect) info.checksum = plain_etag(reply.header("etag"));
      if (size.empty() && !redirect) size = reply.header("content-length");
      if (is_checksum(info.checksum) && number_of(size)) {
        info.size = *number_of(size);
        return info;
      }
      if (!redirect) return fail(corruption("the hub tells no checksum and size of it"));
      at = resolved(at, reply.header("location"));
    }
    return fail(corruption("redirected too often"));
  });
}

class Download {
 public:
  Download(HubConnection* hub, const FileInfo& info, fs::path path)
      : hub_(hub), info_(info), path_(std::move(path)) {}

  // What is there already is not asked for again.
  Status run(const std::string& url) {
    MR_TRY(retry(hub_->retrying(), hub_->options().cancel, [&]() -> Status {
      std::error_code error;
      have_ = fs::file_size(path_, error);
      if (error) have_ = 0;
      if (have_ > info_.size) restart();
      if (have_ == info_.size && info_.size > 0) return {};
      return attempt(url);
    }));
    return verify();
  }

 private:
  void restart() {
    std::error_code ignored;
    fs::remove(path_, ignored);
    have_ = 0;
  }

  Status attempt(const std::string& url) {
    MR_ASSIGN(const HttpReply reply,
              follow(url, [this](const std::string& at) { return fetch(at); }));
    if (reply.status != 200 && reply.status != 206) return fail(bad_status(reply.status));
    return have_ == info_.size ? Status() : fail(unavailable("the download broke off"));
  }

  Result<HttpReply> fetch(const std::string& url) {
    HttpRequest request;
    request.url = url;
    request.headers.emplace_back("Accept-Encoding", "identity");
    if (have_ > 0) request.headers.emplace_back("Range", fmt::format("bytes={}-", have_));
    std::ofstream out(path_, std::ios::binary | std::ios::app);
    if (!out) return fail(internal_error("cannot write " + path_.string()));
    const uint64_t asked_from = have_;
    bool too_long = false;
    request.sink = [&](std::string_view bytes) -> Status {
      too_long = bytes.size() > info_.size - have_;
      if (too_long) return fail(corruption("it has more bytes than the hub says"));
      out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
      out.flush();
      if (!out) return fail(internal_error("cannot write " + path_.string()));
      have_ += bytes.size();
      tell();
      return {};
    };
    auto reply = hub_->send(std::move(request));
    // A server that does not know ranges began anew.
    if (asked_from > 0 && (too_long || (reply && reply->status == 200))) {
      restart();
      return fail(unavailable("the server answers no range"));
    }
    return reply;
  }

  void tell() {
    if (info_.size < limits::kUnpackNoticeBytesMin || have_ < next_) return;
    hub_->options().notice(fmt::format("pulling {}: {}% of {} MiB", path_.stem().string(),
                                       have_ * 100 / info_.size, info_.size / limits::kMiB));
    next_ = have_ + info_.size / 10;
  }

  Status verify() {
    std::ifstream in(path_, std::ios::binary);
    std::string found;
    if (info_.checksum.size() == kSha256Letters) {
      Sha256 digest;
      std::string block(limits::kReadBlockBytes, '\0');
      while (in.read(block.data(), static_cast<std::streamsize>(block.size())) || in.gcount() > 0) {
        digest.update({block.data(), static_cast<size_t>(in.gcount())});
      }
      found = hex(digest.finish());
    } else if (info_.size <= limits::kTokenizerFileBytesMax) {
      std::string content = fmt::format("blob {}", info_.size) + '\0';
      content.append(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
      found = sha1_hex(content);
    } else {
      return fail(corruption("a file that large must have a SHA-256"));
    }
    if (found == info_.checksum) return {};
    restart();
    return fail(
        corruption(fmt::format("its checksum is {}, the hub says {}; what was fetched is "
                               "thrown away",
                               found, info_.checksum)));
  }

  HubConnection* hub_;
  const FileInfo& info_;
  const fs::path path_;
  uint64_t have_ = 0;
  uint64_t next_ = 0;
};

}  // namespace

Result<HttpReply> HubConnection::get(const std::string& url) {
  return retry(retrying_, options_.cancel, [&]() -> Result<HttpReply> {
    return follow(url, [&](const std::string& at) -> Result<HttpReply> {
      HttpRequest request;
      request.url = at;
      MR_ASSIGN(HttpReply reply, send(std::move(request)));
      if (is_temporary(reply.status)) return fail(bad_status(reply.status));
      return reply;
    });
  });
}

Result<HttpReply> HubConnection::send(HttpRequest request) {
  request.headers.emplace_back("User-Agent", "millrace");
  if (!options_.token.empty() && origin_of(request.url) == origin_of(options_.endpoint)) {
    request.headers.emplace_back("Authorization", "Bearer " + options_.token);
  }
  return client_.send(request, options_.cancel);
}

Result<std::string> fetch_hub_file(HubConnection* hub, const std::string& url,
                                   const fs::path& blobs) {
  MR_ASSIGN(const FileInfo info, ask_about(hub, url));
  std::error_code error;
  const fs::path blob = blobs / info.checksum;
  if (fs::exists(blob, error) && fs::file_size(blob, error) == info.size) return info.checksum;
  fs::create_directories(blobs, error);
  if (error) return fail(errno_error("make the folder " + blobs.string(), error.value()));
  const fs::path incomplete = blobs / (info.checksum + ".incomplete");
  Download download(hub, info, incomplete);
  MR_TRY(download.run(url));
  fs::rename(incomplete, blob, error);
  if (error) return fail(errno_error("keep " + blob.string(), error.value()));
  return info.checksum;
}

}  // namespace millrace::jobs
