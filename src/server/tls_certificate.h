// The certificate that connections over TLS get, from PEM files. A certificate that was renewed
// counts for the connections that come after, without a restart.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"

namespace boost::asio::ssl {
class context;
}

namespace millrace::server {

class TlsCertificate {
 public:
  using Context = boost::asio::ssl::context;  // TLS 1.2 and later only

  // `chain`: the certificate and those that vouch for it; `private_key`: its key.
  // invalid_argument: what cannot be read, is no PEM, or does not belong together.
  static Result<std::unique_ptr<TlsCertificate>> open(std::filesystem::path chain,
                                                      std::filesystem::path private_key);

  // By any thread; never null.
  std::shared_ptr<Context> current() const;
  // Reads the files again if one was changed; true: another certificate is in force now. After an
  // error (a certificate whose key is not written yet) the one before stays. Waits for the disk;
  // one thread at a time.
  Result<bool> refresh();

 private:
  TlsCertificate(std::filesystem::path chain, std::filesystem::path private_key)
      : chain_(std::move(chain)), private_key_(std::move(private_key)) {}

  Result<std::shared_ptr<Context>> load() const;

  const std::filesystem::path chain_, private_key_;
  std::string seen_;  // the versions that were read last; "": none yet
  mutable std::mutex mutex_;
  std::shared_ptr<Context> context_;
};

}  // namespace millrace::server
