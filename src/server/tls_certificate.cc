#include "server/tls_certificate.h"

#include <sys/stat.h>

#include <boost/asio/ssl/context.hpp>
#include <utility>

namespace millrace::server {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

// "" where there is no such file: to read it says why. Renewals replace files, or the links that
// lead to them; a link is followed.
std::string stamp_of(const std::filesystem::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return {};
  return std::to_string(info.st_ino) + ' ' + std::to_string(info.st_size) + ' ' +
         std::to_string(info.st_ctim.tv_sec) + '.' + std::to_string(info.st_ctim.tv_nsec) + '\n';
}

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

// The stamp is taken first: what is written while we read is seen the next time.
Result<bool> TlsCertificate::refresh() {
  std::string now = stamp_of(chain_) + stamp_of(private_key_);
  if (!seen_.empty() && now == seen_) return false;
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
