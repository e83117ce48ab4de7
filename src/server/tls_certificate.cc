#include "server/tls_certificate.h"

#include <boost/asio/ssl/context.hpp>
#include <utility>

#include "server/file_version.h"

namespace millrace::server {
namespace {

using boost::system::error_code;

Error unusable(const std::string& what, const std::filesystem::path& file,
               const error_code& error) {
  return invalid_argument(what + ' ' + file.string() + ": " + error.message());
}

}  // namespace

Result<std::unique_ptr<TlsCertificate>> TlsCertificate::open(std::filesystem::path chain,
                                                             std::filesystem::path private_key) {
  std::unique_ptr<TlsCertificate> out(new TlsCertificate(std::move(chain), std::move(private_key)));
  MR_TRY(out->refresh());
  return out;
}

std::shared_ptr<TlsCertificate::Context> TlsCertificate::current() const {
  const std::lock_guard lock(mutex_);
  return context_;
}

// The versions are taken first: what is written while we read is seen the next time.
Result<bool> TlsCertificate::refresh() {
  std::string now = file_version(chain_) + '\n' + file_version(private_key_);
  if (now == seen_) return false;
  seen_ = std::move(now);
  MR_ASSIGN(auto context, load());
  const std::lock_guard lock(mutex_);
  context_ = std::move(context);
  return true;
}

Result<std::shared_ptr<TlsCertificate::Context>> TlsCertificate::load() const {
  auto context = std::make_shared<Context>(Context::tls_server);
  error_code error;
  context->set_options(Context::no_tlsv1 | Context::no_tlsv1_1 | Context::default_workarounds,
                       error);
  if (!error) context->use_certificate_chain_file(chain_.string(), error);
  if (error) return fail(unusable("certificate", chain_, error));
  context->use_private_key_file(private_key_.string(), Context::pem, error);
  if (error) return fail(unusable("the certificate's key", private_key_, error));
  return context;
}

}  // namespace millrace::server
