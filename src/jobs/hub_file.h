// One file of the hub: asked for, followed to where it lies, fetched in pieces, compared with its
// checksum.
#pragma once

#include <filesystem>
#include <string>

#include "base/http_client.h"
#include "base/result.h"
#include "base/retry.h"
#include "jobs/hub.h"

namespace millrace::jobs {

// Requests to the hub. The token goes to the hub's own address and to no other.
class HubConnection {
 public:
  explicit HubConnection(const HubOptions& options) : options_(options) {}

  // Any status that is an answer; 429 and 5xx are tried again and unavailable then. Redirects are
  // followed: that is how the hub answers for a repository's former name.
  Result<HttpReply> get(const std::string& url);
  // One attempt, redirects not followed.
  Result<HttpReply> send(HttpRequest request);

  const HubOptions& options() const { return options_; }
  const Retrying& retrying() const { return retrying_; }

 private:
  const HubOptions& options_;
  HttpClient client_;
  Retrying retrying_;
};

// Fetches `url` into the folder `blobs`, unless it is there; answers its name there, which is its
// checksum. Errors as pull_hub_model.
Result<std::string> fetch_hub_file(HubConnection* hub, const std::string& url,
                                   const std::filesystem::path& blobs);

}  // namespace millrace::jobs
